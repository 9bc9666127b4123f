/** Whose word is taken on a listener for who the client is, and in which fields. */
import { type CidrSet, createCidrSet } from '../base/ip.ts';
import type { ListenerConfig } from '../config/model.ts';
import { FIELD, maskOf } from '../http/field-name.ts';

/** RFC 7239. */
const STANDARD = maskOf(FIELD.forwarded);

/** What was written before there was a standard: of the same hand, so they are believed together. */
const CUSTOMARY = maskOf(FIELD.xForwardedFor, FIELD.xForwardedProto, FIELD.xForwardedHost, FIELD.xForwardedPort);

/** Every field that tells of the client, whoever believes it. */
export const FORWARDED_FIELDS: number = STANDARD | CUSTOMARY;

export interface ProxyTrust {
  readonly proxies: CidrSet;
  /** A mask of `FORWARDED_FIELDS`. */
  readonly believed: number;
}

export const NO_TRUST: ProxyTrust = { proxies: createCidrSet([]), believed: 0 };

/**
 * Of one generation: what is remembered of a connection holds as long as the object is the same. A proxy writes one kind of field and may
 * pass on what clients write into the other; only the operator knows which.
 */
export function createProxyTrust({
  trustedProxies,
  clientAddressFrom,
}: Pick<ListenerConfig, 'trustedProxies' | 'clientAddressFrom'>): ProxyTrust {
  return { proxies: createCidrSet(trustedProxies), believed: believedIn(clientAddressFrom) };
}

function believedIn(clientAddressFrom: ListenerConfig['clientAddressFrom']): number {
  if (clientAddressFrom === undefined) return FORWARDED_FIELDS;
  return clientAddressFrom === 'forwarded' ? STANDARD : CUSTOMARY;
}
