/** A health check of the type that the configuration names. */
import type { HealthProbe } from './active-check.ts';
import { probeHttp } from './http-probe.ts';
import { probeGrpc, probeHttp2 } from './http2-probe.ts';
import { speaksHttp2 } from './probe-tls.ts';
import { probeTcp } from './tcp-probe.ts';

export const probe: HealthProbe = (endpoint, config, signal, wire) => {
  switch (config.type) {
    case 'grpc':
      return probeGrpc(endpoint, config, signal, wire);
    case 'tcp':
      return probeTcp(endpoint, config, signal);
    default:
      return (speaksHttp2(wire) ? probeHttp2 : probeHttp)(endpoint, config, signal, wire);
  }
};
