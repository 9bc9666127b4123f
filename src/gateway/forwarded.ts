/** Who the client is and what the upstream is told of it: trusted proxies, X-Forwarded-*, Forwarded (RFC 7239), Via. */
import type { Deadlines } from '../base/deadlines.ts';
import { normalizeIp } from '../base/ip.ts';
import { FIELD, maskOf } from '../http/field-name.ts';
import { fieldById } from '../http/fields.ts';
import type { ClientStream } from '../net/stream.ts';
import type { ProxyTrust } from './proxy-trust.ts';

const X_FORWARDED_FOR = maskOf(FIELD.xForwardedFor);
const CHAIN_FIELDS = X_FORWARDED_FOR | maskOf(FIELD.forwarded);
const MAX_CHAIN = 64;

/** What is known of a connection; the lines are kept because requests of a connection mostly name one host. */
export interface ConnectionMemo {
  /** Whose word it was; a reload may change that under a standing connection. */
  readonly trust: ProxyTrust;
  readonly trusted: boolean;
  /** A mask of the fields in which the peer is believed; 0 for one that is not trusted. */
  readonly believed: number;
  /** Of its requests, one after another. */
  deadlines: Deadlines | null;
  authority: string;
  lines: string;
  /** About the client’s certificate; null until they are asked for. */
  certificateLines: string | null;
}

/** The memo of a stream's connection, made at its first request. */
export function memoOf(stream: ClientStream, trust: ProxyTrust): ConnectionMemo {
  let memo = stream.memo as ConnectionMemo | null;
  if (memo === null || memo.trust !== trust) {
    const trusted = trust.proxies.contains(stream.remoteAddress);
    memo = {
      trust,
      trusted,
      believed: trusted ? trust.believed : 0,
      deadlines: memo === null ? null : memo.deadlines,
      authority: '',
      lines: '',
      certificateLines: null,
    };
    stream.memo = memo;
  }
  return memo;
}

/**
 * The client's address: the peer's, or after a trusted proxy the rightmost address of the chain that is not a trusted
 * one. An entry that is no address ends the walk: nothing left of it can be believed. Null where `Forwarded` is malformed, so
 * that nobody knows whose address is which. Where both fields are there and believed, `X-Forwarded-For` tells.
 */
export function clientAddressOf(stream: ClientStream, memo: ConnectionMemo): string | null {
  const chains = stream.head.seen & memo.believed & CHAIN_FIELDS;
  if (chains === 0) return stream.remoteAddress;
  const chain = (chains & X_FORWARDED_FOR) === 0 ? standardChain(stream) : customaryChain(stream);
  return chain === null ? null : clientOfChain(chain, stream.remoteAddress, memo.trust);
}

/**
 * What the other field says where `clientAddressOf` took `address` from one of two: null where that is malformed, and `address`
 * where there are not two. A proxy that writes both says the same in both; one that writes `Forwarded` alone may pass on an
 * `X-Forwarded-For` that its client made up.
 */
export function otherAddressOf(stream: ClientStream, memo: ConnectionMemo, address: string | null): string | null {
  if ((stream.head.seen & memo.believed & CHAIN_FIELDS) !== CHAIN_FIELDS) return address;
  const chain = standardChain(stream);
  return chain === null ? null : clientOfChain(chain, stream.remoteAddress, memo.trust);
}

function clientOfChain(chain: readonly string[], peer: string, { proxies }: ProxyTrust): string {
  let address = peer;
  for (let i = chain.length - 1; i >= 0 && i >= chain.length - MAX_CHAIN; i--) {
    const entry = normalizeIp(chain[i]);
    if (entry === null) return address;
    address = entry;
    if (!proxies.contains(entry)) return entry;
  }
  return address;
}

function customaryChain(stream: ClientStream): string[] {
  const list = fieldById(stream.head, FIELD.xForwardedFor) ?? '';
  return list.split(',').map((entry) => stripPort(entry.trim()));
}

function standardChain(stream: ClientStream): string[] | null {
  return forwardedNodes(fieldById(stream.head, FIELD.forwarded) ?? '');
}

/** One parameter of Forwarded, or none, and what ends it; in time that grows with the length alone. */
const PARAMETER = /[ \t]*(?:([^\s=;,"]+)[ \t]*=(?:[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+)))?[ \t]*)?(;|,|$)/y;

/**
 * The `for` of each element (RFC 7239 section 4), `''` where there is not one. Null when the field is malformed:
 * a quote that a client leaves open would take what its proxy adds for a part of the client's own element.
 */
function forwardedNodes(value: string): string[] | null {
  const nodes: string[] = [];
  let node: string | null = null;
  PARAMETER.lastIndex = 0;
  for (;;) {
    const parameter = PARAMETER.exec(value);
    if (parameter === null) return null;
    const [, name, quoted, plain, end] = parameter;
    if (name?.toLowerCase() === 'for') {
      node = node === null ? stripPort(quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '') : '';
    }
    if (end === ';') continue;
    nodes.push(node ?? '');
    node = null;
    if (end === '') return nodes;
  }
}

/** `1.2.3.4:5` and `[::1]:5` name an address and a port (RFC 7239 section 6). */
function stripPort(node: string): string {
  if (node.startsWith('[')) return node.slice(1, Math.max(1, node.indexOf(']')));
  const colon = node.indexOf(':');
  return colon >= 0 && colon === node.lastIndexOf(':') ? node.slice(0, colon) : node;
}

/** The lines for the upstream, `Via` included: replaced for everybody, appended to only where a trusted proxy is believed. */
export function forwardedLines(stream: ClientStream, memo: ConnectionMemo): string {
  const kept = stream.head.seen & memo.believed;
  if (kept === 0 && stream.target.authority === null) {
    if (memo.lines === '' || memo.authority !== stream.authority) {
      memo.authority = stream.authority;
      memo.lines = sharedLines(stream);
    }
    return memo.lines;
  }
  return buildLines(stream, fieldById(stream.head, FIELD.host) ?? stream.authority, kept);
}

/** The lines made last: connections of one client, or of one proxy before us, mostly have the same. */
const last = { remoteAddress: '', authority: '', listener: null as ClientStream['listener'] | null, lines: '' };

function sharedLines(stream: ClientStream): string {
  const { remoteAddress, authority, listener } = stream;
  if (last.listener !== listener || last.remoteAddress !== remoteAddress || last.authority !== authority) {
    last.remoteAddress = remoteAddress;
    last.authority = authority;
    last.listener = listener;
    // Made flat: it is copied into every request, and as it comes it is a tree of a dozen pieces.
    last.lines = Buffer.from(buildLines(stream, authority, 0), 'latin1').toString('latin1');
  }
  return last.lines;
}

/** `kept` is a mask of the fields that are passed on as they were received, or added to. */
function buildLines(stream: ClientStream, host: string, kept: number): string {
  const { remoteAddress, listener } = stream;
  const keep = (id: number): string | undefined => ((kept & maskOf(id)) === 0 ? undefined : fieldById(stream.head, id));
  const chain = keep(FIELD.xForwardedFor);
  const elements = keep(FIELD.forwarded);
  const node = remoteAddress.includes(':') ? `"[${remoteAddress}]"` : remoteAddress;
  const element = `for=${node}${host === '' ? '' : `;host="${host}"`};proto=${listener.scheme}`;
  const forwardedHost = keep(FIELD.xForwardedHost) ?? host;
  return (
    `X-Forwarded-For: ${chain === undefined ? remoteAddress : `${chain}, ${remoteAddress}`}\r\n` +
    `X-Forwarded-Proto: ${keep(FIELD.xForwardedProto) ?? listener.scheme}\r\n` +
    (forwardedHost === '' ? '' : `X-Forwarded-Host: ${forwardedHost}\r\n`) +
    `X-Forwarded-Port: ${keep(FIELD.xForwardedPort) ?? listener.port}\r\n` +
    `Forwarded: ${elements === undefined ? element : `${elements}, ${element}`}\r\n` +
    'Via: 1.1 portico\r\n'
  );
}
