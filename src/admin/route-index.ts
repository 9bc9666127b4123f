/** Finds the admin routes of a path, and what its segments say. */
import type { AdminMethod, AdminRoute } from './route.ts';

/** Everything at one path. */
export interface FoundRoutes {
  /** As written in the table. */
  readonly template: string;
  readonly routes: readonly AdminRoute[];
  /** The parameters as they were sent, percent-encoded. */
  readonly params: Readonly<Record<string, string>>;
}

interface Entry {
  readonly template: string;
  readonly pattern: RegExp;
  readonly routes: AdminRoute[];
}

export class RouteIndex {
  private readonly literal = new Map<string, Entry>();
  private readonly templates: Entry[] = [];

  /** Throws on a table that contradicts itself: only a fault in the program can be the reason. */
  constructor(routes: readonly AdminRoute[]) {
    const entries = new Map<string, Entry>();
    for (const route of routes) {
      const entry = entries.get(route.path) ?? { template: route.path, pattern: patternOf(route), routes: [] };
      if (entry.routes.some(({ method }) => method === route.method)) {
        throw new Error(`two admin routes are ${route.method} ${route.path}`);
      }
      entry.routes.push(route);
      entries.set(route.path, entry);
    }
    for (const entry of entries.values()) {
      if (entry.template.includes('{')) this.templates.push(entry);
      else this.literal.set(entry.template, entry);
    }
  }

  /** A literal path goes before a template; templates in the table's order. */
  find(path: string): FoundRoutes | null {
    const literal = this.literal.get(path);
    if (literal !== undefined) return { template: literal.template, routes: literal.routes, params: {} };
    for (const { template, pattern, routes } of this.templates) {
      const match = pattern.exec(path);
      if (match !== null) return { template, routes, params: match.groups ?? {} };
    }
    return null;
  }
}

/** The value of the `Allow` field. */
export function allowOf(routes: readonly AdminRoute[]): string {
  const names: (AdminMethod | 'HEAD')[] = routes.flatMap(({ method }) =>
    method === 'GET' ? ['GET', 'HEAD'] : [method],
  );
  return names.join(', ');
}

function patternOf({ path, params = {} }: AdminRoute): RegExp {
  const names = [...path.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name]) => name);
  if (names.join() !== Object.keys(params).join())
    throw new Error(`the parameters of ${path} are not those of its schema`);
  return new RegExp(`^${path.replace(/\{([A-Za-z]+)\}/g, '(?<$1>[^/]+)')}$`);
}
