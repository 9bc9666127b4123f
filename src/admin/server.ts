/** The admin listener: its socket, its limits, and how it opens and closes. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { type Address, formatAddress, isLoopback } from '../base/address.ts';
import { type Clock, systemClock, systemTimers, type Timers } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { AuditEvent } from '../observability/audit-trail.ts';
import { createRequestIdSource } from '../observability/request-id.ts';
import { AdminHandler, IDLE } from './handler.ts';
import type { LastingReplies } from './reply-writer.ts';
import type { AdminRoute } from './route.ts';
import type { AdminSource } from './source.ts';

export interface AdminOptions {
  readonly address: Address;
  /** Required when the address is not on loopback. */
  readonly token?: string | undefined;
  readonly source: AdminSource;
  /** Those of the contract, but for tests. */
  readonly routes?: readonly AdminRoute[];
  /** A socket that listens already, from the process whose place this one takes. */
  readonly inherited?: object | null;
  readonly logger: Logger;
  /** Notes what an operator did, or was refused. */
  readonly audit?: ((event: AuditEvent) => void) | undefined;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

export interface Admin {
  readonly server: NetServer;
  /** Opens the listener; rejects with `OperatorError` when the address cannot be had. */
  listen(): Promise<Address>;
  /**
   * Asks another token, or none, of requests that come from now on, and ends answers that go on under the former one;
   * throws `OperatorError` as `createAdmin` does.
   */
  setToken(token: string | undefined): void;
  /** Ends answers that go on, such as that of `/events`: the gateway stops, and none of them may hold it up. */
  endLasting(): void;
  /** Ends idle connections and answers that go on at once, and the others after a second. */
  close(): Promise<void>;
}

/** Milliseconds that requests under way may still take when the listener closes. */
const LAST_CALL = 1000;

/** Throws `OperatorError` when anybody on the network could reach it without a token. */
export function createAdmin(options: AdminOptions): Admin {
  const { address, logger, token } = options;
  requireToken(address, token);
  const clock = options.clock ?? systemClock;
  const { source, routes, audit, timers = systemTimers } = options;
  const newRequestId = createRequestIdSource(clock);
  const handler = new AdminHandler({ address, token, logger, clock, timers, source, newRequestId, audit, routes });
  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: 5000,
    },
    (request, response) => handler.onRequest(request, response),
  );
  // Whoever waits to be asked for the body is asked only once it is wanted.
  server.on('checkContinue', (request, response) => handler.onRequest(request, response));
  server.maxConnections = 256;
  server.maxHeadersCount = 100;
  server.maxRequestsPerSocket = 10_000;
  // A client that does not read what it asked for.
  server.timeout = IDLE;
  return {
    server,
    listen: () => listen(server, options, logger),
    setToken(next) {
      requireToken(address, next);
      handler.setToken(next);
      if (next !== undefined) handler.lasting.end();
    },
    endLasting: () => handler.lasting.end(),
    close: () => close(server, handler.lasting),
  };
}

/** Throws `OperatorError` where anybody on the network could reach the address without a token. */
export function requireToken(address: Address, token: string | undefined): void {
  if (token !== undefined || isLoopback(address.host)) return;
  throw new OperatorError(`admin.token is required on ${formatAddress(address)}: it is not a loopback address`);
}

function listen(server: Server, { address, inherited }: AdminOptions, logger: Logger): Promise<Address> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(new OperatorError(`the admin listener cannot have ${formatAddress(address)}: ${error.code}`));
    };
    server.once('error', onError);
    const where = inherited ?? { port: address.port, host: address.host === '' ? undefined : address.host };
    server.listen(where, () => {
      server.off('error', onError);
      // Later errors are of accepting one connection, such as running out of descriptors: not fatal.
      server.on('error', (error) => logger.error('admin listener', { error }));
      const { address: host, port } = server.address() as AddressInfo;
      resolve({ host, port });
    });
  });
}

function close(server: Server, lasting: LastingReplies): Promise<void> {
  return new Promise((resolve) => {
    const lastCall = setTimeout(() => server.closeAllConnections(), LAST_CALL);
    server.close(() => {
      clearTimeout(lastCall);
      resolve();
    });
    lasting.end();
    server.closeIdleConnections();
  });
}
