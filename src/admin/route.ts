/** The shape of one admin route: what it takes, what it answers, and everything that its documentation is made of. */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { ErrorCode } from '../base/errors.ts';
import type { AdminReply } from './reply.ts';
import type { BodyKind } from './request-body.ts';
import type { AdminSource, Soon } from './source.ts';

/** `HEAD` is served wherever `GET` is. */
export type AdminMethod = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

/**
 * Schemas of path or query parameters by name; each takes the text that was sent, a list of texts where it is an array,
 * which is what a parameter that may be repeated has. Give each a `description` by `.meta`.
 */
export type Parameters = Readonly<Record<string, z.ZodType>>;

type Values<P extends Parameters> = { readonly [Name in keyof P]: z.output<P[Name]> };

/** A request that may be answered: authorised, and everything it carries is checked. */
export interface AdminRequest<Path = unknown, Query = unknown, Body = unknown> {
  /** The parameters of the path, decoded. */
  readonly path: Path;
  readonly query: Query;
  readonly body: Body;
  /** As Node gives them, names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** The client's address. */
  readonly client: string;
  /** The value of the answer's `X-Request-ID`. */
  readonly id: string;
  /** The problem document to answer. `more` are members beyond the usual ones, such as `findings`. */
  refuse(code: ErrorCode, detail: string, more?: object): AdminReply;
}

export interface AdminAnswer {
  readonly description: string;
  /** Of a JSON body; without it the body is text of `mediaType`, or none where that is missing too. */
  readonly schema?: z.ZodType;
  readonly mediaType?: string;
  /** What each header says, by name. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** How the reference shows the route; a test runs it against a gateway. */
export interface AdminExample {
  /** With its query, and with values for the parameters of the path. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** As it is sent; its media type is the first that the route takes. */
  readonly body?: string;
  /** What it answers. */
  readonly status: number;
  /** True when the answer goes on: whoever has seen its head has seen enough. */
  readonly lasting?: boolean;
  /** `id`s of routes whose examples make what this one needs. */
  readonly after?: readonly string[];
}

export interface AdminRoute<P extends Parameters = Parameters, Q extends Parameters = Parameters, B = unknown> {
  readonly method: AdminMethod;
  /** A template: `/routes/{name}`. Every parameter stands for one whole segment, and has its schema in `params`. */
  readonly path: string;
  /** The name of the operation in OpenAPI, such as `getRoute`. */
  readonly id: string;
  /** One sentence for the reference and for OpenAPI. */
  readonly summary: string;
  /** What one sentence does not hold, in Markdown. */
  readonly description?: string;
  /** True when no token is asked for. */
  readonly open?: boolean;
  readonly params?: P;
  /** A GET without it ignores whatever the query holds; any other route refuses what it does not know. */
  readonly query?: Q;
  /** Headers of the request that mean something here, by name: what they say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Without it a request that carries a body is refused. */
  readonly body?: BodyKind<B>;
  /** By status. Refusals that every route has are added where it is documented. */
  readonly answers: Readonly<Record<number, AdminAnswer>>;
  /** Codes of refusals that are this route's own. */
  readonly refusals?: readonly ErrorCode[];
  readonly example: AdminExample;
  // A method and not a property: a route of known parameters is a route.
  answer(source: AdminSource, request: AdminRequest<Values<P>, Values<Q>, B>): Soon<AdminReply>;
}

/** Routes about one thing; a chapter of the reference. */
export interface AdminResource {
  readonly name: string;
  /** What it is, in one sentence. */
  readonly summary: string;
  readonly routes: readonly AdminRoute[];
}

type None = Record<never, z.ZodType>;

/** A route with the types of its parameters and its body known to `answer`. */
export function adminRoute<P extends Parameters = None, Q extends Parameters = None, B = undefined>(
  route: AdminRoute<P, Q, B>,
): AdminRoute {
  return route as unknown as AdminRoute;
}
