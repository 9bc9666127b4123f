/** What a route makes of path and query before they go upstream. */
import { type Pattern, parsePattern } from '../base/pattern.ts';
import type { RouteConfig } from '../config/model.ts';
import { effectivePath } from './compiled-route.ts';
import { normalizePath } from './path.ts';

export interface Rewrite {
  /**
   * The target for the upstream: `/path[?query]`. Null when what came out is no path that may be sent, which only a
   * pattern's groups or a rest parameter can bring about.
   */
  apply(path: string, query: string, hasQuery: boolean, params: Readonly<Record<string, string>> | null): string | null;
}

/** Compiles the path part of a route's rewrite; null when it has none (the host is not this room's). */
export function compileRewrite(route: RouteConfig): Rewrite | null {
  const { rewrite } = route;
  if (rewrite === undefined) return null;
  if (rewrite.stripPrefix !== undefined) return strip(rewrite.stripPrefix.replace(/\/+$/, ''));
  if (rewrite.path !== undefined) {
    const { pattern } = effectivePath(route.match);
    return pattern === null ? fill(rewrite.path) : fillGroups(rewrite.path, pattern);
  }
  if (rewrite.regex !== undefined) return replace(parsePattern(rewrite.regex.pattern), rewrite.regex.replacement);
  return null;
}

function strip(prefix: string): Rewrite {
  return {
    apply(path, query, hasQuery) {
      const whole = path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 47);
      return finish(whole ? path.slice(prefix.length) : path, query, hasQuery);
    },
  };
}

function fill(template: string): Rewrite {
  // Alternating literals and names: "/v3/{id}" is ["/v3/", "id", ""].
  const parts = template.split(/\{([^{}*]+)\*?\}/);
  return {
    apply(_path, query, hasQuery, params) {
      let text = '';
      let inQuery = false;
      for (let i = 0; i < parts.length; i++) {
        if (i % 2 === 0) {
          text += parts[i];
          inQuery ||= parts[i].includes('?');
        } else {
          const value = params?.[parts[i]] ?? '';
          text += inQuery ? escapeForQuery(value) : value;
        }
      }
      return finish(text, query, hasQuery);
    },
  };
}

/** As `fill`, with the groups of the route's own pattern. */
function fillGroups(template: string, pattern: Pattern): Rewrite {
  const parts = template.split(/\$(\d)/);
  return {
    apply(path, query, hasQuery) {
      const groups = pattern.find(path)?.groups ?? [];
      let text = '';
      for (let i = 0; i < parts.length; i++) {
        const value = i % 2 === 0 ? parts[i] : (groups[Number(parts[i])] ?? '');
        text += i % 2 === 1 && text.includes('?') ? escapeForQuery(value) : value;
      }
      return finish(text, query, hasQuery);
    },
  };
}

/** What a path may hold but would add parameters of its own to a query. */
function escapeForQuery(value: string): string {
  return value.replace(/[&=+;?]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function replace(pattern: Pattern, replacement: string): Rewrite {
  const parts = replacement.split(/\$(\d)/);
  return {
    apply(path, query, hasQuery) {
      const match = pattern.find(path);
      if (match === null) return finish(path, query, hasQuery);
      let text = '';
      for (let i = 0; i < parts.length; i++) text += i % 2 === 0 ? parts[i] : (match.groups[Number(parts[i])] ?? '');
      return finish(path.slice(0, match.start) + text + path.slice(match.end), query, hasQuery);
    },
  };
}

/** One slash in front, no dot segments again, and the query unless the rewrite brought one. */
function finish(text: string, query: string, hasQuery: boolean): string | null {
  const mark = text.indexOf('?');
  // "//host" would be read as an authority by many a server: what is stripped leaves one slash.
  const path = normalizePath(`/${(mark < 0 ? text : text.slice(0, mark)).replace(/^\/+/, '')}`);
  if (path === null) return null;
  if (mark >= 0) return path + text.slice(mark);
  return hasQuery ? `${path}?${query}` : path;
}
