/** Who the client is and what the upstream is told of it: trusted proxies, X-Forwarded-*, Forwarded (RFC 7239), Via. */
import type { Deadlines } from '../base/deadlines.ts';
import { type CidrSet, normalizeIp } from '../base/ip.ts';
import { FIELD, maskOf } from '../http/field-name.ts';
import { fieldById } from '../http/fields.ts';
import type { ClientStream } from '../net/stream.ts';

/** The fields that this room writes anew. */
export const FORWARDED_FIELDS: number = maskOf(
  FIELD.xForwardedFor,
  FIELD.xForwardedProto,
  FIELD.xForwardedHost,
  FIELD.xForwardedPort,
  FIELD.forwarded,
);

const CHAIN_FIELDS = maskOf(FIELD.xForwardedFor, FIELD.forwarded);
const MAX_CHAIN = 64;

/** What is known of a connection; the lines are kept because requests of a connection mostly name one host. */
export interface ConnectionMemo {
  /** Whose word it was; a reload may change that under a standing connection. */
  readonly proxies: CidrSet;
  readonly trusted: boolean;
  /** Of its requests, one after another. */
  deadlines: Deadlines | null;
  authority: string;
  lines: string;
  /** About the client’s certificate; null until they are asked for. */
  certificateLines: string | null;
}

/** The memo of a stream's connection, made at its first request. */
export function memoOf(stream: ClientStream, trustedProxies: CidrSet): ConnectionMemo {
  let memo = stream.memo as ConnectionMemo | null;
  if (memo === null || memo.proxies !== trustedProxies) {
    memo = {
      proxies: trustedProxies,
      trusted: trustedProxies.contains(stream.remoteAddress),
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
 * that nobody knows whose address is which.
 */
export function clientAddressOf(stream: ClientStream, memo: ConnectionMemo, trustedProxies: CidrSet): string | null {
  if (!memo.trusted || (stream.head.seen & CHAIN_FIELDS) === 0) return stream.remoteAddress;
  const chain = forwardedChain(stream);
  if (chain === null) return null;
  let address = stream.remoteAddress;
  for (let i = chain.length - 1; i >= 0 && i >= chain.length - MAX_CHAIN; i--) {
    const entry = normalizeIp(chain[i]);
    if (entry === null) return address;
    address = entry;
    if (!trustedProxies.contains(entry)) return entry;
  }
  return address;
}

function forwardedChain(stream: ClientStream): string[] | null {
  const list = fieldById(stream.head, FIELD.xForwardedFor);
  if (list !== undefined) return list.split(',').map((entry) => stripPort(entry.trim()));
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

/** The lines for the upstream, `Via` included: replaced for everybody, appended to only after a trusted proxy. */
export function forwardedLines(stream: ClientStream, memo: ConnectionMemo): string {
  const received = memo.trusted && (stream.head.seen & FORWARDED_FIELDS) !== 0;
  if (!received && stream.target.authority === null) {
    if (memo.lines === '' || memo.authority !== stream.authority) {
      memo.authority = stream.authority;
      memo.lines = sharedLines(stream);
    }
    return memo.lines;
  }
  return buildLines(stream, fieldById(stream.head, FIELD.host) ?? stream.authority, received);
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
    last.lines = Buffer.from(buildLines(stream, authority, false), 'latin1').toString('latin1');
  }
  return last.lines;
}

function buildLines(stream: ClientStream, host: string, received: boolean): string {
  const { remoteAddress, listener } = stream;
  const keep = (id: number): string | undefined => (received ? fieldById(stream.head, id) : undefined);
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
