/** Fields of which each line must stay by itself: their values have commas of their own (RFC 9110 section 5.3). */

/** In lower case. */
export const SEPARATE_FIELDS: ReadonlySet<string> = new Set(['set-cookie', 'www-authenticate', 'proxy-authenticate']);
