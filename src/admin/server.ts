/** The admin listener: takes a request through its checks to the route of the table, and writes the answer. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { type Address, formatAddress, isLoopback } from '../base/address.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { ERRORS, type ErrorCode, OperatorError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { PROBLEM_MEDIA_TYPE, problemBody } from '../gateway/problem.ts';
import { createRequestIdSource, type RequestIdSource } from '../observability/request-id.ts';
import { createTokenGuard, type TokenGuard } from './auth.ts';
import { ADMIN_ROUTES, type AdminReply, type AdminRoute, type AdminSource, type Soon } from './contract.ts';
import { isOwnAuthority, isOwnOrigin } from './host-guard.ts';

export interface AdminOptions {
  readonly address: Address;
  /** Required when the address is not on loopback. */
  readonly token?: string | undefined;
  readonly source: AdminSource;
  /** A socket that listens already, from the process whose place this one takes. */
  readonly inherited?: object | null;
  readonly logger: Logger;
  readonly clock?: Clock;
}

export interface Admin {
  readonly server: NetServer;
  /** Opens the listener; rejects with `OperatorError` when the address cannot be had. */
  listen(): Promise<Address>;
  /** Ends idle connections at once and the others after a second. */
  close(): Promise<void>;
}

/** Milliseconds that requests under way may still take when the listener closes. */
const LAST_CALL = 1000;

/** Throws `OperatorError` when anybody on the network could reach it without a token. */
export function createAdmin(options: AdminOptions): Admin {
  const { address, logger, token } = options;
  if (token === undefined && !isLoopback(address.host)) {
    throw new OperatorError(`admin.token is required on ${formatAddress(address)}: it is not a loopback address`);
  }
  const clock = options.clock ?? systemClock;
  const machine = new AdminMachine(options, createRequestIdSource(clock), clock);
  const server = createServer(
    {
      maxHeaderSize: 16 * 1024,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: 5000,
    },
    (request, response) => machine.onRequest(request, response),
  );
  server.maxConnections = 256;
  server.maxHeadersCount = 100;
  server.maxRequestsPerSocket = 10_000;
  // A client that does not read what it asked for.
  server.timeout = 30_000;
  return {
    server,
    listen: () => listen(server, options, logger),
    close: () => close(server),
  };
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

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const lastCall = setTimeout(() => server.closeAllConnections(), LAST_CALL);
    server.close(() => {
      clearTimeout(lastCall);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** Decides on each request. The order of its checks is the order of `decide`. */
class AdminMachine {
  private readonly source: AdminSource;
  private readonly logger: Logger;
  private readonly guard: TokenGuard | null;
  private readonly newRequestId: RequestIdSource;
  private readonly ownHosts: readonly string[];
  private readonly routes = new Map<string, AdminRoute[]>();

  constructor({ address, token, source, logger }: AdminOptions, newRequestId: RequestIdSource, clock: Clock) {
    this.source = source;
    this.logger = logger;
    this.guard = token === undefined ? null : createTokenGuard(token, clock, logger);
    this.newRequestId = newRequestId;
    this.ownHosts = [address.host.toLowerCase()];
    for (const route of ADMIN_ROUTES) this.routes.set(route.path, [...(this.routes.get(route.path) ?? []), route]);
  }

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    const id = this.newRequestId();
    response.setHeader('X-Request-ID', id);
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    void this.answer(request, response, id).then((reply) => {
      write(request, response, reply, (error) => {
        this.logger.error('admin: an answer broke off', { request_id: id, path: request.url, error });
      });
    });
  }

  /** Never rejects. */
  private async answer(request: IncomingMessage, response: ServerResponse, id: string): Promise<AdminReply> {
    try {
      return await this.decide(request, response, id);
    } catch (error) {
      this.logger.error('admin: a request failed', { request_id: id, path: request.url, error });
      return problemReply('internal_error', 'The gateway could not make this answer; its log says why.', id);
    }
  }

  private decide(request: IncomingMessage, response: ServerResponse, id: string): Soon<AdminReply> {
    const refuse = (code: ErrorCode, detail: string): AdminReply => problemReply(code, detail, id);
    const { path, authority } = targetOf(request);
    if (authority === null) return refuse('bad_request', 'A request carries exactly one Host, and a path.');
    if (!isOwnAuthority(authority, this.ownHosts, request.socket.localAddress ?? '')) {
      return refuse('misdirected_request', 'The host named by the request is not this listener.');
    }
    const { origin } = request.headers;
    if (origin !== undefined && !isOwnOrigin(origin, authority)) {
      return refuse('forbidden', 'Pages of other origins may not speak to this listener.');
    }
    const candidates = this.routes.get(path);
    if (candidates === undefined) return refuse('route_not_found', 'There is no such admin route.');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = candidates.find((candidate) => candidate.method === method);
    if (route === undefined) {
      response.setHeader('Allow', candidates.map((c) => (c.method === 'GET' ? 'GET, HEAD' : c.method)).join(', '));
      return refuse('method_not_allowed', 'This admin route does not know the method.');
    }
    if (!route.open && this.guard !== null) {
      const refusal = this.authenticate(this.guard, request, response, refuse);
      if (refusal !== null) return refusal;
    }
    return route.answer(this.source);
  }

  private authenticate(
    guard: TokenGuard,
    request: IncomingMessage,
    response: ServerResponse,
    refuse: (code: ErrorCode, detail: string) => AdminReply,
  ): AdminReply | null {
    const verdict = guard.check(request.headers.authorization, request.socket.remoteAddress ?? '');
    if (verdict === 'accepted') return null;
    if (verdict === 'limited') {
      response.setHeader('Retry-After', '1');
      return refuse('rate_limited', 'Too many wrong tokens came from this address.');
    }
    const challenge = verdict === 'wrong' ? ', error="invalid_token"' : '';
    // RFC 6750 section 3.
    response.setHeader('WWW-Authenticate', `Bearer realm="portico admin"${challenge}`);
    return refuse('unauthenticated', 'This admin route needs the bearer token of admin.token.');
  }
}

/** `id` is the one that the answer's `X-Request-ID` carries. */
function problemReply(code: ErrorCode, detail: string, id: string): AdminReply {
  return {
    status: ERRORS[code].status,
    mediaType: PROBLEM_MEDIA_TYPE,
    body: `${problemBody(code, detail, id)}\n`,
  };
}

/** Path and authority of a request; the absolute form wins over Host (RFC 9112 section 3.2.2). */
function targetOf(request: IncomingMessage): { path: string; authority: string | null } {
  const hosts = request.headersDistinct.host ?? [];
  const target = request.url ?? '';
  const absolute = /^https?:\/\/([^/?#]*)([^?#]*)/i.exec(target);
  const path = absolute === null ? target.split('?', 1)[0] : absolute[2] || '/';
  const authority = absolute === null ? hosts[0] : absolute[1];
  return { path, authority: hosts.length === 1 && path.startsWith('/') ? authority : null };
}

function write(
  request: IncomingMessage,
  response: ServerResponse,
  { status, mediaType, body }: AdminReply,
  onBroken: (error: unknown) => void,
): void {
  response.statusCode = status;
  response.setHeader('Content-Type', mediaType);
  if (typeof body === 'string') {
    response.setHeader('Content-Length', Buffer.byteLength(body));
    response.end(request.method === 'HEAD' ? undefined : body);
    return;
  }
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  writePieces(response, body[Symbol.iterator](), onBroken);
}

/** One piece a turn of the event loop, and none while the client does not read: traffic goes before scrapes. */
function writePieces(response: ServerResponse, pieces: Iterator<string>, onBroken: (error: unknown) => void): void {
  const next = (): void => {
    if (response.destroyed) return;
    try {
      const { done, value } = pieces.next();
      if (done === true) response.end();
      else if (response.write(value)) setImmediate(next);
      else response.once('drain', next);
    } catch (error) {
      onBroken(error);
      response.destroy();
    }
  };
  next();
}
