/**
 * The PROXY protocol, versions 1 and 2, as its specification (haproxy.org, "The PROXY protocol") has them: a parser that takes
 * bytes as they come, and writers. No sockets.
 */
import { normalizeIp, parseIpv4, parseIpv6 } from '../base/ip.ts';
import type { Peer } from './peer.ts';

/** What `execute` says of the bytes so far. */
export const PROXY_NEED_MORE = 0;
export const PROXY_COMPLETE = 1;
/** It is no header of either version. */
export const PROXY_MISSING = 2;
/** It began as one. */
export const PROXY_MALFORMED = 3;

export type ProxyResult =
  | typeof PROXY_NEED_MORE
  | typeof PROXY_COMPLETE
  | typeof PROXY_MISSING
  | typeof PROXY_MALFORMED;

const V1_START = Buffer.from('PROXY ');
const V2_SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);

/** The longest line of version 1, its CRLF included (section 2.1). */
const V1_LONGEST = 107;
const V2_FIXED = 16;
/** Addresses and TLVs of version 2: far more than anybody sends. */
const V2_LONGEST = 2048;

// Section 2.2: the family in the high half, the transport in the low one.
const TCP4 = 0x11;
const TCP6 = 0x21;

/** Of addresses by family, in bytes: unspecified, IPv4, IPv6, UNIX. */
const ADDRESS_LENGTHS: readonly number[] = [0, 12, 36, 216];

export class ProxyHeaderParser {
  /** Who the header speaks of, once it is complete; null for who says nothing of it (`UNKNOWN`, `LOCAL`). */
  peer: Peer | null = null;
  /** How many of the bytes last given belong to the header. */
  consumed = 0;
  /** What is wrong with it. */
  detail = '';
  private readonly kept = Buffer.allocUnsafe(V2_FIXED + V2_LONGEST);
  private length = 0;

  /** Takes bytes as they come. To be asked no more after anything but `PROXY_NEED_MORE`. */
  execute(bytes: Buffer): ProxyResult {
    if (bytes.length === 0) return PROXY_NEED_MORE;
    const before = this.length;
    this.length += bytes.copy(this.kept, before);
    const { kept, length } = this;
    const end = kept[0] === V1_START[0] ? this.executeV1(before) : this.executeV2();
    if (typeof end === 'string') {
      this.detail = end;
      return PROXY_MALFORMED;
    }
    if (end >= 0) {
      this.consumed = end - before;
      return PROXY_COMPLETE;
    }
    this.consumed = bytes.length;
    const start = kept[0] === V1_START[0] ? V1_START : V2_SIGNATURE;
    const compared = Math.min(length, start.length);
    if (kept.compare(start, 0, compared, 0, compared) === 0) return PROXY_NEED_MORE;
    this.detail = 'the connection does not begin with a PROXY header';
    return PROXY_MISSING;
  }

  /** Where the header ends, below 0 when that is not known yet, or what is wrong with it. */
  private executeV1(before: number): number | string {
    const { kept, length } = this;
    // The start is judged by `execute`.
    if (length < V1_START.length || kept.compare(V1_START, 0, V1_START.length, 0, V1_START.length) !== 0) return -1;
    const end = kept.subarray(0, Math.min(length, V1_LONGEST)).indexOf(10, Math.max(0, before - 1));
    if (end < 0) return length < V1_LONGEST ? -1 : 'the line of version 1 is longer than 107 bytes';
    if (kept[end - 1] !== 13) return 'the line of version 1 ends without CRLF';
    const line = kept.toString('latin1', V1_START.length, end - 1);
    // Whatever else stands in the line is to be ignored.
    if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return end + 1;
    this.peer = readV1(line);
    return this.peer === null ? 'the line of version 1 names no addresses and ports' : end + 1;
  }

  private executeV2(): number | string {
    const { kept, length } = this;
    if (length < V2_FIXED || kept.compare(V2_SIGNATURE, 0, V2_SIGNATURE.length, 0, V2_SIGNATURE.length) !== 0)
      return -1;
    const command = kept[12];
    const family = kept[13];
    const rest = kept.readUInt16BE(14);
    if (command >> 4 !== 2) return 'the version is neither 1 nor 2';
    if ((command & 15) > 1) return 'the command is neither LOCAL nor PROXY';
    if (rest > V2_LONGEST) return 'the header is longer than 2064 bytes';
    const local = (command & 15) === 0;
    if (!local && (family >> 4 > 3 || (family & 15) > 2)) return 'the address family is unknown';
    if (!local && rest < ADDRESS_LENGTHS[family >> 4]) return 'the header is too short for its addresses';
    if (length < V2_FIXED + rest) return -1;
    // Datagrams and UNIX sockets are no peers of a TCP connection.
    if (!local && family === TCP4) this.peer = readV2(kept, 4);
    else if (!local && family === TCP6) this.peer = readV2(kept, 16);
    return V2_FIXED + rest;
  }
}

/** What stands between `PROXY ` and CRLF; null when it is malformed. */
function readV1(line: string): Peer | null {
  const parts = line.split(' ');
  if (parts.length !== 5) return null;
  const [family, source, destination, sourcePort, destinationPort] = parts;
  const isAddress = family === 'TCP4' ? isIpv4 : family === 'TCP6' ? isIpv6 : null;
  if (isAddress === null || !isAddress(source) || !isAddress(destination)) return null;
  const port = readPort(sourcePort);
  const localPort = readPort(destinationPort);
  if (port < 0 || localPort < 0) return null;
  return { address: normalizeIp(source) as string, port, localAddress: normalizeIp(destination) as string, localPort };
}

function isIpv4(text: string): boolean {
  return parseIpv4(text) !== -1;
}

const scratch = new Uint16Array(8);

function isIpv6(text: string): boolean {
  return parseIpv6(text, scratch);
}

/** -1 when it is none. Leading zeros could be taken for octal numbers and are refused (section 2.1). */
function readPort(text: string): number {
  return /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : -1;
}

/** `size`: bytes of an address. */
function readV2(bytes: Buffer, size: number): Peer {
  const ports = V2_FIXED + 2 * size;
  return {
    address: textOf(bytes.subarray(V2_FIXED, V2_FIXED + size)),
    port: bytes.readUInt16BE(ports),
    localAddress: textOf(bytes.subarray(V2_FIXED + size, ports)),
    localPort: bytes.readUInt16BE(ports + 2),
  };
}

function textOf(address: Buffer): string {
  if (address.length === 4) return address.join('.');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(address.readUInt16BE(at).toString(16));
  return normalizeIp(groups.join(':')) as string;
}

/** The line of version 1. A peer without addresses is `UNKNOWN`. */
export function writeProxyV1(peer: Peer): Buffer {
  const source = bytesOf(peer.address);
  const destination = bytesOf(peer.localAddress);
  if (source === null || destination === null) return Buffer.from('PROXY UNKNOWN\r\n');
  const both4 = source.length === 4 && destination.length === 4;
  const [from, to] = both4 ? [peer.address, peer.localAddress] : [v6Text(peer.address), v6Text(peer.localAddress)];
  return Buffer.from(`PROXY ${both4 ? 'TCP4' : 'TCP6'} ${from} ${to} ${peer.port} ${peer.localPort}\r\n`);
}

/** The header of version 2. A peer without addresses is of no family. */
export function writeProxyV2(peer: Peer): Buffer {
  const source = bytesOf(peer.address);
  const destination = bytesOf(peer.localAddress);
  if (source === null || destination === null) return Buffer.concat([V2_SIGNATURE, Buffer.from([0x21, 0, 0, 0])]);
  const both4 = source.length === 4 && destination.length === 4;
  const end = Buffer.alloc(8);
  end[0] = 0x21;
  end[1] = both4 ? TCP4 : TCP6;
  end.writeUInt16BE(both4 ? 12 : 36, 2);
  end.writeUInt16BE(peer.port, 4);
  end.writeUInt16BE(peer.localPort, 6);
  const addresses = both4 ? [source, destination] : [mapped(source), mapped(destination)];
  return Buffer.concat([V2_SIGNATURE, end.subarray(0, 4), ...addresses, end.subarray(4)]);
}

/** One header has one family: the address of the other becomes one of IPv6 (RFC 4291 section 2.5.5.2). */
function v6Text(address: string): string {
  return address.includes(':') ? address : `::ffff:${address}`;
}

function mapped(address: Buffer): Buffer {
  return address.length === 16 ? address : Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), address]);
}

/** Four or sixteen bytes; null for what is no address. */
function bytesOf(address: string): Buffer | null {
  if (isIpv4(address)) return Buffer.from(address.split('.').map(Number));
  if (!parseIpv6(address, scratch)) return null;
  const bytes = Buffer.alloc(16);
  for (let group = 0; group < 8; group++) bytes.writeUInt16BE(scratch[group], group * 2);
  return bytes;
}
