/** provisional */
import type { RouteConfig } from '../config/model.ts';
export interface Rewrite { apply(path: string, query: string, params: Record<string,string> | null): string; }
export function compileRewrite(_route: RouteConfig): Rewrite | null { return null; }
