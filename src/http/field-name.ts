/** The field names that the gateway itself acts on, as small integers found from the bytes without making a string. */

/** Ids of known names; 0 is every other name. They fit a 32-bit mask, so a head can say at once which it has. */
export const FIELD = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  expect: 5,
  upgrade: 6,
  te: 7,
  trailer: 8,
  keepAlive: 9,
  proxyConnection: 10,
  xForwardedFor: 11,
  xForwardedProto: 12,
  xForwardedHost: 13,
  xForwardedPort: 14,
  forwarded: 15,
  xRequestId: 16,
  traceparent: 17,
  proxyAuthorization: 18,
  proxyAuthenticate: 19,
  http2Settings: 20,
  userAgent: 21,
  tracestate: 22,
  contentType: 23,
  /** The names by which upstreams are told who calls, and what passes behind CGI for a name that only the gateway writes. */
  identity: 24,
  /** Every name that begins with `x-client-cert-`. */
  xClientCert: 30,
} as const;

/** Without a prototype: clients send names such as `constructor`, too. */
const names: Record<string, number> = {
  __proto__: null as never,
  host: FIELD.host,
  connection: FIELD.connection,
  'content-length': FIELD.contentLength,
  'transfer-encoding': FIELD.transferEncoding,
  expect: FIELD.expect,
  upgrade: FIELD.upgrade,
  te: FIELD.te,
  trailer: FIELD.trailer,
  'keep-alive': FIELD.keepAlive,
  'proxy-connection': FIELD.proxyConnection,
  'x-forwarded-for': FIELD.xForwardedFor,
  'x-forwarded-proto': FIELD.xForwardedProto,
  'x-forwarded-host': FIELD.xForwardedHost,
  'x-forwarded-port': FIELD.xForwardedPort,
  forwarded: FIELD.forwarded,
  'x-request-id': FIELD.xRequestId,
  traceparent: FIELD.traceparent,
  'proxy-authorization': FIELD.proxyAuthorization,
  'proxy-authenticate': FIELD.proxyAuthenticate,
  'http2-settings': FIELD.http2Settings,
  'user-agent': FIELD.userAgent,
  tracestate: FIELD.tracestate,
  'content-type': FIELD.contentType,
};

/** What is behind CGI takes an underscore for a hyphen: both are as good in these. */
for (const name of ['x-user-id', 'x-user-roles', 'x-consumer-name', 'x-consumer-tier']) {
  for (const spelling of spellings(name)) names[spelling] = FIELD.identity;
}

for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-request-id']) {
  // Not read as what they resemble: not even a trusted proxy writes them so.
  for (const spelling of spellings(name)) names[spelling] ??= FIELD.identity;
}

function spellings(name: string): string[] {
  const at = name.indexOf('-');
  if (at < 0) return [name];
  const head = name.slice(0, at);
  return spellings(name.slice(at + 1)).flatMap((rest) => [`${head}-${rest}`, `${head}_${rest}`]);
}

interface Candidate {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly id: number;
}

const byLength: (readonly Candidate[] | undefined)[] = [];
for (const [name, id] of Object.entries(names)) {
  // As bytes are when bit 5 is set: of an underscore it makes what no token holds.
  const bytes = Buffer.from(name).map((byte) => byte | 0x20);
  byLength[name.length] = [...(byLength[name.length] ?? []), { name, bytes, id }];
}

/** What begins the names by which an upstream is told of the client’s certificate. */
const CLIENT_CERT = Buffer.from('x-client-cert-');

/** Whether a name of any case begins so. An underscore is as good as a hyphen: what is behind CGI takes the two for one. */
function isClientCert(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < CLIENT_CERT.length; i++) {
    const byte = bytes[start + i];
    if ((byte | 0x20) !== CLIENT_CERT[i] && !(byte === 0x5f && CLIENT_CERT[i] === 0x2d)) return false;
  }
  return true;
}

/** Id of the name in `bytes[start, end)`, whatever its case. The bytes must be a token already. */
export function fieldIdOfBytes(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  // The third letter tells it from nearly all other names.
  if (length > CLIENT_CERT.length && (bytes[start + 2] | 0x20) === 0x63 && isClientCert(bytes, start)) {
    return FIELD.xClientCert;
  }
  const candidates = byLength[length];
  if (candidates === undefined) return 0;
  next: for (let c = 0; c < candidates.length; c++) {
    const name = candidates[c].bytes;
    for (let i = 0; i < name.length; i++) {
      // Setting bit 5 lowers letters and leaves digits and the hyphen as they are.
      if ((bytes[start + i] | 0x20) !== name[i]) continue next;
    }
    return candidates[c].id;
  }
  return 0;
}

/** Id of a lower-case name, 0 when it is not one the gateway acts on. */
export function fieldIdOfName(lowerName: string): number {
  const id = names[lowerName] ?? 0;
  return id === 0 && /^x[-_]client[-_]cert[-_]./.test(lowerName) ? FIELD.xClientCert : id;
}

/** The mask of a set of ids, for `HeadParser.seen`. */
export function maskOf(...ids: number[]): number {
  let mask = 0;
  for (const id of ids) mask |= 1 << id;
  return mask;
}
