/** Where in a request a token stands. */
import { credentialsOf } from '../../http/authorization.ts';
import { cookieValues, queryValues } from '../../http/request-values.ts';
import type { PolicyExchange } from '../../pipeline/policy.ts';

export type TokenPlace = { readonly header: string } | { readonly cookie: string } | { readonly query: string };

/** RFC 6750 section 2.1. */
const SCHEME = 'bearer';

/**
 * The token of a request: null where there is none in any of the places, `''` where there is one that cannot be had, such as two
 * that differ. Places are of lower-case header names.
 */
export type TokenReader = (exchange: PolicyExchange) => string | null;

export function createTokenReader(places: readonly TokenPlace[]): TokenReader {
  const readers = places.map(readerOf);
  if (readers.length === 1) return readers[0];
  return (exchange) => {
    let token: string | null = null;
    for (let i = 0; i < readers.length; i++) {
      const found = readers[i](exchange);
      if (found === null) continue;
      // Who checks the one must not be told of the other.
      if (token !== null && token !== found) return '';
      token = found;
    }
    return token;
  };
}

function readerOf(place: TokenPlace): TokenReader {
  if ('cookie' in place) {
    const { cookie } = place;
    return (exchange) => onlyOne(cookieValues(exchange.header('cookie') ?? '', cookie));
  }
  if ('query' in place) {
    const { query } = place;
    return (exchange) => onlyOne(queryValues(exchange.query, query));
  }
  const { header } = place;
  if (header === 'authorization') return (exchange) => credentialsOf(exchange.header('authorization'), SCHEME);
  return (exchange) => {
    const value = exchange.header(header);
    return value === undefined ? null : (credentialsOf(value, SCHEME) ?? value);
  };
}

function onlyOne(values: readonly string[]): string | null {
  if (values.length === 0) return null;
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return '';
  return values[0];
}
