/** What a path pattern in a file may look like, and which parameters it names. */

/** A checked path: what is wrong with it, or null, and the parameters it defines in their order. */
export interface PathCheck {
  problem: string | null;
  parameters: string[];
}

const parameter = /^\{([A-Za-z_][A-Za-z0-9_-]*)(\*?)\}$/;

/** Checks `/users/{id}`, `/files/{path*}`, `/users/*` and literal paths. The problem never quotes the path. */
export function checkPathTemplate(path: string): PathCheck {
  const parameters: string[] = [];
  const problem = path.startsWith('/') ? literalProblem(path.replace(/[{}]/g, 'x')) : literalProblem('');
  if (problem !== null) return { problem, parameters };
  const segments = path.slice(1).split('/');
  for (let index = 0; index < segments.length; index += 1) {
    const segment = segments[index];
    const last = index === segments.length - 1;
    if (segment === '*') {
      if (!last) return { problem: 'has `*` before its end: a rest wildcard is the last segment', parameters };
      continue;
    }
    if (!/[{}*]/.test(segment)) continue;
    const match = parameter.exec(segment);
    if (match === null) return { problem: segmentProblem(segment), parameters };
    if (match[2] === '*' && !last) {
      return { problem: `has \`{${match[1]}*}\` before its end: a rest wildcard is the last segment`, parameters };
    }
    if (parameters.includes(match[1])) return { problem: `names the parameter \`${match[1]}\` twice`, parameters };
    parameters.push(match[1]);
  }
  return { problem: null, parameters };
}

/** What is wrong with a literal path or prefix, or null. */
export function pathPrefixProblem(path: string): string | null {
  if (/[{}]/.test(path))
    return 'has braces: a prefix holds no parameters, use `path` with a rest wildcard such as {rest*}';
  if (path.endsWith('/*')) return 'ends in `/*`: a prefix covers everything below it without one';
  return literalProblem(path);
}

function literalProblem(path: string): string | null {
  if (!path.startsWith('/')) return 'must begin with a slash';
  if (path.includes('?') || path.includes('#')) return 'holds a query or fragment: use `query` for the query';
  if (/[^\x21-\x7e]/.test(path))
    return 'holds a space, a control character or a letter beyond ASCII: percent-encode it';
  if (/["<>\\^`|]/.test(path)) return 'holds a character that no path may: percent-encode it';
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return 'holds a `%` that begins no percent-encoding';
  // Requests are compared after removal of dot segments, so these could never match.
  if (/\/(\.|%2e){1,2}(\/|$)/i.test(path)) return 'holds a `.` or `..` segment, which is removed from every request';
  return null;
}

function segmentProblem(segment: string): string {
  if (segment.includes('*') && !/[{}]/.test(segment)) {
    return 'has `*` inside a segment: it stands alone as the last segment; a literal star is %2A';
  }
  if (/^\{[^{}]*\}$/.test(segment)) return 'has a malformed parameter name: letters, digits, _ and -, a letter first';
  return 'has braces inside a segment: a parameter is a whole segment, as in /users/{id}';
}
