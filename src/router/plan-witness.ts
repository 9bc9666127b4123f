/** Requests made up from what routes ask, so that two routers can be asked about the same ones. */
import type { MatchConfig, RouteConfig, ValueMatch } from '../config/model.ts';
import { compileEntries, type Entry } from './compiled-route.ts';
import { literalPrefixOf, PATH_KIND, type PathMatcher } from './path-matcher.ts';
import type { RouteQuery } from './route-query.ts';

/** Requests that differ only in their method. */
export interface Witness {
  /** For people, without values that a route asks for. */
  readonly text: string;
  readonly methods: readonly string[];
  queryWith(method: string): RouteQuery;
}

const commonMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Some requests for each route that it might take: whether it does, a router says. None for what cannot be made up, such
 * as what only a pattern describes.
 */
export function witnessesOf(routes: readonly RouteConfig[]): Witness[] {
  const witnesses = new Map<string, Witness>();
  for (const entry of compileEntries(routes)) {
    const conditions = new Conditions();
    conditions.meet(routes[entry.index].match);
    for (const path of samplePaths(entry.path)) {
      const witness = new SampleRequest(entry, path, conditions);
      const key = JSON.stringify([witness.methods, witness.host, path, witness.query, [...witness.headers]]);
      witnesses.set(key, witness);
    }
  }
  return [...witnesses.values()];
}

/** What a request carries beside its line, to meet what a map asks. */
class Conditions {
  readonly headers = new Map<string, string>();
  readonly query = new Map<string, string>();
  readonly cookies = new Map<string, string>();

  /** Of `any` the first map is met; what `not` excludes is not added on purpose. */
  meet(match: MatchConfig): void {
    add(this.headers, match.headers, true);
    add(this.query, match.query, false);
    add(this.cookies, match.cookies, false);
    if (match.any !== undefined) this.meet(match.any[0]);
    for (const map of match.all ?? []) this.meet(map);
  }
}

function add(values: Map<string, string>, wanted: Record<string, ValueMatch> | undefined, isHeader: boolean): void {
  for (const [name, value] of Object.entries(wanted ?? {})) {
    const sample = sampleValue(value);
    if (sample !== null) values.set(isHeader ? name.toLowerCase() : name, sample);
  }
}

function sampleValue(wanted: ValueMatch): string | null {
  if (typeof wanted === 'string') return wanted;
  if ('present' in wanted) return wanted.present ? '1' : null;
  // The first alternative, as if it were plain text; a router tells whether it is.
  return wanted.regex
    .replace(/^\(\?[a-z]+\)/, '')
    .replace(/^[(^]+|[)$]+$/g, '')
    .split('|')[0];
}

class SampleRequest implements Witness {
  readonly methods: readonly string[];
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;

  constructor({ host, methods }: Entry, path: string, conditions: Conditions) {
    this.methods = methods ?? commonMethods;
    this.path = path;
    // A name that a wildcard covers, and none at all where every host will do.
    this.host = host.wildcard ? (host.name === '' ? '' : `any.${host.name}`) : host.name;
    this.query = [...conditions.query].map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
    const headers = new Map(conditions.headers);
    if (conditions.cookies.size > 0)
      headers.set('cookie', [...conditions.cookies].map((pair) => pair.join('=')).join('; '));
    this.headers = headers;
    const parts = [...named('header', conditions.headers), ...named('query', conditions.query)];
    parts.push(...named('cookie', conditions.cookies));
    this.text = `${this.host}${path}${parts.length === 0 ? '' : ` with ${parts.join(', ')}`}`;
  }

  queryWith(method: string): RouteQuery {
    const { host, path, query, headers } = this;
    return { method, host, path, query, header: (name) => headers.get(name) };
  }
}

function named(kind: string, values: ReadonlyMap<string, string>): string[] {
  return [...values.keys()].map((name) => `${kind} ${name}`);
}

function samplePaths({ kind, text, segments, rest }: PathMatcher): string[] {
  if (kind === PATH_KIND.none) return ['/', '/x'];
  if (kind === PATH_KIND.exact) return [text];
  if (kind === PATH_KIND.regex) {
    const prefix = literalPrefixOf(text);
    const literal = text.replace(/^\^/, '').replace(/\$$/, '');
    return [...(/^[/A-Za-z0-9_-]+$/.test(literal) ? [literal] : []), `${prefix}/1`, `${prefix}/x`];
  }
  const path = segments.map(({ literal }) => `/${literal ?? '1'}`).join('');
  if (kind === PATH_KIND.template && rest === null) return [path];
  return path === '' ? ['/', '/x'] : [path, `${path}/x`];
}
