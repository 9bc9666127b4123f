/** A health check of the type that the configuration names. */

import { speaksHttp2 } from '../endpoint.ts';
import type { HealthProbe } from './active-check.ts';
import { probeHttp } from './http-probe.ts';
import { probeGrpc, probeHttp2 } from './http2-probe.ts';
import { probeTcp } from './tcp-probe.ts';

export const probe: HealthProbe = (endpoint, config, signal, service) => {
  switch (config.type) {
    case 'grpc':
      return probeGrpc(endpoint, config, signal, service);
    case 'tcp':
      return probeTcp(endpoint, config, signal);
    default:
      return (speaksHttp2(service) ? probeHttp2 : probeHttp)(endpoint, config, signal, service);
  }
};
