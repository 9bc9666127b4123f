/** Claims of a token, held to what every token and a route ask of them. */
import { type ClaimRule, fulfils } from '../../pipeline/claim-rule.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** The last second of the year 9999: beyond it no time was ever meant. */
const END_OF_TIME = 253_402_300_799;

/** The name of the first rule that does not hold; null where all do. */
export function brokenRule(claims: Claims, rules: readonly ClaimRule[]): string | null {
  for (const rule of rules) if (!fulfils(claims, rule)) return rule.name;
  return null;
}

/**
 * What is wrong with the claims that every token may have (RFC 7519 section 4.1), beyond what the library sees; null for
 * nothing. `now` and `skew` are seconds.
 */
export function faultOf(claims: Claims, now: number, skew: number): string | null {
  for (const name of ['exp', 'nbf', 'iat']) {
    const value = claims[name];
    if (value !== undefined && !isTime(value)) return `"${name}" is no time`;
  }
  for (const name of ['iss', 'sub', 'jti']) {
    const value = claims[name];
    if (value !== undefined && typeof value !== 'string') return `"${name}" is no string`;
  }
  const { iat, aud } = claims;
  if (aud !== undefined && typeof aud !== 'string' && !isListOfStrings(aud))
    return '"aud" is neither a string nor a list of them';
  // Issuers round to seconds, some of them up.
  if (typeof iat === 'number' && iat > Math.ceil(now) + skew) return '"iat" is in the future';
  return null;
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= END_OF_TIME;
}

function isListOfStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
