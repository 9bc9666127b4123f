/** Takes an admin request through its checks to the route of the table. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Address } from '../base/address.ts';
import type { Clock, Timers } from '../base/clock.ts';
import { ERRORS } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { PROBLEM_MEDIA_TYPE } from '../gateway/problem.ts';
import type { AuditEvent } from '../observability/audit-trail.ts';
import type { RequestIdSource } from '../observability/request-id.ts';
import { createTokenGuard, type TokenGuard } from './auth.ts';
import { ADMIN_ROUTES } from './contract.ts';
import { isForeignPage, isOwnAuthority, isOwnOrigin } from './host-guard.ts';
import { readPath, readQuery } from './parameters.ts';
import { type AdminReply, problem } from './reply.ts';
import { LastingReplies, writeReply } from './reply-writer.ts';
import { takeBody } from './request-body.ts';
import type { AdminRequest, AdminRoute } from './route.ts';
import { allowOf, type FoundRoutes, RouteIndex } from './route-index.ts';
import type { AdminSource, Soon } from './source.ts';

/** Milliseconds that a client may take for nothing: neither to send nor to read. */
export const IDLE = 30_000;

export interface AdminHandlerDeps {
  readonly address: Address;
  readonly token: string | undefined;
  readonly source: AdminSource;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly newRequestId: RequestIdSource;
  /** Notes what an operator did, or was refused. */
  readonly audit?: ((event: AuditEvent) => void) | undefined;
  /** Those of the contract, but for tests. */
  readonly routes?: readonly AdminRoute[] | undefined;
}

/** One request on its way through the checks. */
interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
  readonly refuse: AdminRequest['refuse'];
}

/** Decides on each request. The order of its checks is the order of `decide`. */
export class AdminHandler {
  private readonly source: AdminSource;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private guard: TokenGuard | null;
  private readonly newRequestId: RequestIdSource;
  private readonly noteEvent: ((event: AuditEvent) => void) | undefined;
  private readonly ownHosts: readonly string[];
  private readonly routes: RouteIndex;
  /** Answers that go on. */
  readonly lasting: LastingReplies;

  constructor({
    address,
    token,
    source,
    logger,
    clock,
    timers,
    newRequestId,
    audit,
    routes = ADMIN_ROUTES,
  }: AdminHandlerDeps) {
    this.source = source;
    this.logger = logger;
    this.clock = clock;
    this.guard = token === undefined ? null : createTokenGuard(token, clock, logger);
    this.newRequestId = newRequestId;
    this.noteEvent = audit;
    this.ownHosts = [address.host.toLowerCase()];
    this.routes = new RouteIndex(routes);
    this.lasting = new LastingReplies(timers);
  }

  /** Asks another token, or none, of requests that come from now on. */
  setToken(token: string | undefined): void {
    this.guard = token === undefined ? null : createTokenGuard(token, this.clock, this.logger);
  }

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    const id = this.newRequestId();
    response.setHeader('X-Request-ID', id);
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    const refuse: AdminRequest['refuse'] = (code, detail, more) => {
      // The contract's fine points: every 400 closes the connection.
      if (ERRORS[code].closes) response.setHeader('Connection', 'close');
      if (ERRORS[code].retryAfter) response.setHeader('Retry-After', '1');
      return problem(code, detail, id, more);
    };
    void this.answer({ request, response, id, refuse }).then((reply) => {
      writeReply(request, response, reply, this.lasting, (error) => {
        this.logger.error('admin: an answer broke off', { request_id: id, path: targetOf(request).path, error });
      });
      this.audit(request, id, reply);
    });
  }

  /** Never rejects. */
  private async answer(call: Call): Promise<AdminReply> {
    const { request, id, refuse } = call;
    try {
      return await this.decide(call);
    } catch (error) {
      this.logger.error('admin: a request failed', { request_id: id, path: targetOf(request).path, error });
      return refuse('internal_error', 'The gateway could not make this answer; its log says why.');
    }
  }

  /** Notes changes, whatever became of them, and whoever was turned away. What is only read is not noted. */
  private audit(request: IncomingMessage, id: string, { status, body, mediaType, headers }: AdminReply): void {
    const refused = status === 401 || status === 403 || status === 421 || status === 429;
    const method = request.method ?? '';
    if (this.noteEvent === undefined || (!refused && (method === 'GET' || method === 'HEAD'))) return;
    const { path } = targetOf(request);
    const found = this.routes.find(path)?.routes.find((route) => route.method === method);
    const isProblem = mediaType === PROBLEM_MEDIA_TYPE && typeof body === 'string';
    const said = isProblem ? (JSON.parse(body) as { code: string; detail: string }) : null;
    this.noteEvent({
      action: found?.id ?? 'unknown',
      outcome: refused ? 'refused' : status < 400 ? 'done' : 'failed',
      target: madeAt(path, headers?.Location) ?? path,
      status,
      code: said?.code ?? '',
      reason: said?.detail ?? '',
      client: request.socket.remoteAddress ?? '',
      requestId: id,
      // There is one token, and it names nobody; without one whoever reaches the listener is an operator.
      who: refused ? null : { kind: 'admin' },
      method,
      host: request.headers.host ?? '',
      path,
    });
  }

  private decide(call: Call): Soon<AdminReply> {
    const { request, response, refuse } = call;
    const { path, query, authority } = targetOf(request);
    if (authority === null) return refuse('bad_request', 'A request carries exactly one Host, and a path.');
    if (!isOwnAuthority(authority, this.ownHosts, request.socket.localAddress ?? '')) {
      return refuse('misdirected_request', 'The host named by the request is not this listener.');
    }
    const { origin } = request.headers;
    if ((origin !== undefined && !isOwnOrigin(origin, authority)) || isForeignPage(request)) {
      return refuse('forbidden', 'Pages of other origins may not speak to this listener.');
    }
    const found = this.routes.find(path);
    if (found === null) return refuse('route_not_found', 'There is no such admin route: /openapi.json lists them.');
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = found.routes.find((candidate) => candidate.method === method);
    if (route === undefined) {
      response.setHeader('Allow', allowOf(found.routes));
      return refuse('method_not_allowed', 'This admin route does not know the method.');
    }
    const refusal = route.open === true || this.guard === null ? null : this.authenticate(this.guard, call);
    return refusal ?? this.serve(route, found, query, call);
  }

  private authenticate(guard: TokenGuard, { request, response, refuse }: Call): AdminReply | null {
    const verdict = guard.check(request.headers.authorization, request.socket.remoteAddress ?? '');
    if (verdict === 'accepted') return null;
    if (verdict === 'limited') return refuse('rate_limited', 'Too many wrong tokens came from this address.');
    const challenge = verdict === 'wrong' ? ', error="invalid_token"' : '';
    // RFC 6750 section 3.
    response.setHeader('WWW-Authenticate', `Bearer realm="portico admin"${challenge}`);
    return refuse('unauthenticated', 'This admin route needs the bearer token of admin.token.');
  }

  /** Reads what the route takes, and has it answer. */
  private async serve(route: AdminRoute, found: FoundRoutes, queryText: string, call: Call): Promise<AdminReply> {
    const { request, response, id, refuse } = call;
    const path = readPath(found.params, route.params ?? {});
    if ('fault' in path) return refuse('bad_request', `Bad parameter: ${path.fault}.`);
    // Scrapers and probes add parameters of their own to what they read.
    const ignored = route.method === 'GET' && route.query === undefined;
    const query = readQuery(ignored ? '' : queryText, route.query);
    if ('fault' in query) return refuse('bad_request', `Bad query: ${query.fault}.`);
    const body = await takeBody(request, route.body, () => {
      if (request.headers.expect !== undefined) response.writeContinue();
    });
    if ('refusal' in body) {
      const { code, detail, headers = {} } = body.refusal;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      return refuse(code, detail);
    }
    // The gateway may take its time, as for an upgrade; only clients have to hurry.
    request.socket.setTimeout(0);
    const answer = await route.answer(this.source, {
      path: path.values,
      query: query.values,
      body: body.value,
      headers: request.headers,
      client: request.socket.remoteAddress ?? '',
      id,
      refuse,
    });
    request.socket.setTimeout(IDLE);
    return answer;
  }
}

/** Where stands what was made in a collection: its path alone tells of no one thing. */
function madeAt(path: string, location: string | undefined): string | null {
  return location?.startsWith(`${path}/`) === true ? location : null;
}

/** Path, query and authority of a request; the absolute form wins over Host (RFC 9112 section 3.2.2). */
function targetOf(request: IncomingMessage): { path: string; query: string; authority: string | null } {
  const hosts = request.headersDistinct.host ?? [];
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(request.url ?? '');
  const [, path, query = ''] = /^([^?]*)(?:\?(.*))?$/s.exec(absolute?.[2] ?? request.url ?? '') as RegExpExecArray;
  const authority = absolute === null ? hosts[0] : absolute[1];
  const known = absolute === null ? path : path || '/';
  return { path: known, query, authority: hosts.length === 1 && known.startsWith('/') ? authority : null };
}
