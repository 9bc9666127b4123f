/** Claims of a token: looked up by name or by a path of names, and held to what a route asks of them. */

export type Claims = Readonly<Record<string, unknown>>;

export type ClaimValue = string | number | boolean;

/** What a claim must be: one of these values, or a list that holds one of them. */
export interface ClaimRule {
  readonly name: string;
  readonly values: readonly ClaimValue[];
}

/** The last second of the year 9999: beyond it no time was ever meant. */
const END_OF_TIME = 253_402_300_799;

/** The claim of this name, else what the path of names leads to: `realm_access.roles`. Undefined where there is none. */
export function claimAt(claims: Claims, name: string): unknown {
  // The whole name first: names such as https://example.com/roles hold dots themselves.
  if (Object.hasOwn(claims, name)) return claims[name];
  if (!name.includes('.')) return undefined;
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** The name of the first rule that does not hold; null where all do. */
export function brokenRule(claims: Claims, rules: readonly ClaimRule[]): string | null {
  for (const { name, values } of rules) {
    const value = claimAt(claims, name);
    const holds = Array.isArray(value)
      ? value.some((item) => values.includes(item as ClaimValue))
      : values.includes(value as ClaimValue);
    if (!holds) return name;
  }
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
