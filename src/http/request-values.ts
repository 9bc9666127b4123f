/** Values of cookies and query parameters, read from the text of a request. */

/** Decoded values of one parameter (the form encoding of the URL standard); a malformed escape stays as it is. */
export function queryValues(query: string, name: string): string[] {
  const values: string[] = [];
  if (query === '') return values;
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (key === name || decode(key) === name) values.push(equals < 0 ? '' : decode(pair.slice(equals + 1)));
  }
  return values;
}

/** Names of the parameters, decoded, each once; no more than `most` of them. */
export function queryNames(query: string, most: number): string[] {
  const names = new Set<string>();
  if (query === '') return [];
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    if (pair !== '') names.add(decode(equals < 0 ? pair : pair.slice(0, equals)));
    if (names.size === most) break;
  }
  return [...names];
}

function decode(text: string): string {
  if (!/[%+]/.test(text)) return text;
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** Values of one cookie (RFC 6265 section 5.4), without the quotes that may stand around them. */
export function cookieValues(header: string, name: string): string[] {
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    values.push(
      pair
        .slice(equals + 1)
        .trim()
        .replace(/^"([^"]*)"$/, '$1'),
    );
  }
  return values;
}
