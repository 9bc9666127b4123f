/** One health check of a service that is only relayed: whether a connection opens. */
import { connect } from 'node:net';
import type { HealthCheckConfig } from '../../config/model.ts';
import type { Endpoint } from '../endpoint.ts';
import type { CheckOutcome } from './active-check.ts';
import { describeFailure } from './http-probe.ts';

/** As `probeHttp`; nothing is sent, and the connection is closed as soon as it stands. */
export function probeTcp(endpoint: Endpoint, _config: HealthCheckConfig, signal: AbortSignal): Promise<CheckOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: endpoint.host, port: endpoint.port, signal });
    socket.on('connect', () => {
      resolve({ passed: true, reason: 'connected' });
      socket.destroy();
    });
    socket.on('error', (error) => resolve({ passed: false, reason: describeFailure(error) }));
    socket.on('close', () => resolve({ passed: false, reason: 'the connection did not open' }));
  });
}
