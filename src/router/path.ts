/** The one form in which paths are compared and sent (RFC 3986 section 6.2.2). */

/** 1: needs the slow path. Percent signs, and characters that no path may have and some servers read as others. */
const SPECIAL = new Uint8Array(256);
for (const c of '%\\"<>^`{|}') SPECIAL[c.charCodeAt(0)] = 1;

const UNRESERVED = new Uint8Array(256);
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') UNRESERVED[c.charCodeAt(0)] = 1;

const SLASH = 47;
const DOT = 46;

/**
 * Decodes escapes of unreserved characters, writes the other ones in upper case, escapes what a path may not have, and
 * removes dot segments. Empty segments stay. Null for a malformed escape, `%00`, or a path that climbs above its root.
 * `path` starts with `/` and consists of visible US-ASCII.
 */
export function normalizePath(path: string): string | null {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (SPECIAL[code] === 1 || (code === SLASH && path.charCodeAt(i + 1) === DOT)) return normalizeSlowly(path);
  }
  return path;
}

function normalizeSlowly(path: string): string | null {
  let text = '';
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code !== 37) {
      text += SPECIAL[code] === 1 ? escapeOf(code) : path[i];
      continue;
    }
    const digits = path.slice(i + 1, i + 3);
    if (!/^[0-9a-f]{2}$/i.test(digits)) return null;
    const value = Number.parseInt(digits, 16);
    if (value === 0) return null;
    text += UNRESERVED[value] === 1 ? String.fromCharCode(value) : escapeOf(value);
    i += 2;
  }
  return text.includes('/.') ? removeDotSegments(text) : text;
}

function escapeOf(code: number): string {
  return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** RFC 3986 section 5.2.4, but null where that silently stays at the root. */
function removeDotSegments(path: string): string | null {
  const segments = path.split('/');
  const kept: string[] = [];
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i];
    const last = i === segments.length - 1;
    if (segment === '..') {
      if (kept.length === 0) return null;
      kept.pop();
    } else if (segment !== '.') {
      kept.push(segment);
      continue;
    }
    if (last) kept.push('');
  }
  return `/${kept.join('/')}`;
}
