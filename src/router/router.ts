/** provisional */
import type { RouteConfig } from '../config/model.ts';
import type { RouteQuery } from './route-query.ts';
export class Router {
  readonly routes: readonly RouteConfig[]; constructor(routes: readonly RouteConfig[]) { this.routes = routes; }
  match(q: RouteQuery): number { for (let i=0;i<this.routes.length;i++){ const m=this.routes[i].match as any; if (m.pathPrefix !== undefined ? q.path.startsWith(m.pathPrefix) : m.path === q.path) return i; } return -1; }
  allowed(_q: RouteQuery): string[] { return []; }
  params(_i: number, _p: string): Record<string,string> | null { return null; }
}
export function createRouter(routes: readonly RouteConfig[]): Router { return new Router(routes); }
