/** IP addresses and sets of address ranges, strict since clients write the text that is parsed here. */

/** The 32 bits of a dotted IPv4 address as an unsigned number, or -1. Leading zeros and other notations are refused. */
export function parseIpv4(text: string): number {
  return parseIpv4At(text, 0);
}

function parseIpv4At(text: string, from: number): number {
  const length = text.length;
  if (length - from < 7 || length - from > 15) return -1;
  let bits = 0;
  let octet = 0;
  let digits = 0;
  let dots = 0;
  for (let index = from; index < length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 46) {
      if (digits === 0 || dots === 3) return -1;
      bits = bits * 256 + octet;
      octet = 0;
      digits = 0;
      dots += 1;
    } else {
      if (code < 48 || code > 57 || (digits > 0 && octet === 0)) return -1;
      octet = octet * 10 + code - 48;
      digits += 1;
      if (octet > 255) return -1;
    }
  }
  return dots === 3 && digits > 0 ? bits * 256 + octet : -1;
}

/**
 * Writes the eight 16-bit groups of an IPv6 address into `groups` and says whether the text was one (RFC 4291, 2.2).
 * Zone identifiers and brackets are refused. `groups` is undefined in content after a refusal.
 */
export function parseIpv6(text: string, groups: Uint16Array): boolean {
  const length = text.length;
  if (length < 2 || length > 45) return false;
  let count = 0;
  let gap = -1;
  let index = 0;
  if (text.charCodeAt(0) === 58) {
    if (text.charCodeAt(1) !== 58) return false;
    gap = 0;
    index = 2;
  }
  while (index < length) {
    if (count === 8) return false;
    let value = 0;
    const start = index;
    while (index < length) {
      const digit = hexDigit(text.charCodeAt(index));
      if (digit === -1) break;
      value = value * 16 + digit;
      index += 1;
      if (index - start > 4) return false;
    }
    if (index < length && text.charCodeAt(index) === 46) {
      const v4 = parseIpv4At(text, start);
      if (v4 === -1 || count > 6) return false;
      groups[count] = v4 >>> 16;
      groups[count + 1] = v4 & 0xffff;
      count += 2;
      index = length;
      break;
    }
    if (index === start) return false;
    groups[count] = value;
    count += 1;
    if (index === length) break;
    if (text.charCodeAt(index) !== 58) return false;
    index += 1;
    if (index === length) return false;
    if (text.charCodeAt(index) === 58) {
      if (gap !== -1) return false;
      gap = count;
      index += 1;
    }
  }
  if (gap === -1) return count === 8;
  if (count === 8) return false;
  groups.copyWithin(gap + 8 - count, gap, count);
  groups.fill(0, gap, gap + 8 - count);
  return true;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

const scratch = new Uint16Array(8);

/** The one canonical text of an address (RFC 5952), IPv4-mapped IPv6 as IPv4; null when it is not an address. */
export function normalizeIp(text: string): string | null {
  if (parseIpv4(text) !== -1) return text;
  if (!parseIpv6(text, scratch)) return null;
  return isMapped(scratch) ? formatIpv4(mappedBits(scratch)) : formatIpv6(scratch);
}

function isMapped(groups: Uint16Array): boolean {
  return (
    groups[5] === 0xffff && groups[0] === 0 && groups[1] === 0 && groups[2] === 0 && groups[3] === 0 && groups[4] === 0
  );
}

function mappedBits(groups: Uint16Array): number {
  return groups[6] * 65_536 + groups[7];
}

function formatIpv4(bits: number): string {
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
}

/** RFC 5952, 4: lower case, no leading zeros, the longest run of two or more zero groups shortened, the first of equals. */
function formatIpv6(groups: Uint16Array): string {
  let best = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (end < 8 && groups[end] === 0) end += 1;
    if (end - start > bestLength) {
      best = start;
      bestLength = end - start;
    }
  }
  const hex = Array.from(groups, (group) => group.toString(16));
  if (best === -1) return hex.join(':');
  return `${hex.slice(0, best).join(':')}::${hex.slice(best + bestLength).join(':')}`;
}

/**
 * What one client has of addresses: of an IPv6 address its first 64 bits, within which a host takes whichever it likes (RFC
 * 8981); of everything else the text itself.
 */
export function siteOf(ip: string): string {
  if (!ip.includes(':') || !parseIpv6(ip, scratch) || isMapped(scratch)) return ip;
  scratch.fill(0, 4);
  return `${formatIpv6(scratch)}/64`;
}

/** An address range. `groups` is the network address with its host bits cleared. */
export interface Cidr {
  family: 4 | 6;
  /** Bits of the network part: 0 to 32, or 0 to 128. */
  prefix: number;
  /** The network as two (IPv4) or eight (IPv6) 16-bit groups. */
  groups: readonly number[];
}

/** A range `10.0.0.0/8`, or one address; host bits are cleared. IPv4-mapped ranges become IPv4 ones. Null when malformed. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  const address = slash === -1 ? text : text.slice(0, slash);
  const suffix = slash === -1 ? null : text.slice(slash + 1);
  if (suffix !== null && !/^(0|[1-9][0-9]{0,2})$/.test(suffix)) return null;
  const v4 = parseIpv4(address);
  if (v4 !== -1) return createCidr(4, [Math.floor(v4 / 65_536), v4 % 65_536], suffix === null ? 32 : Number(suffix));
  const groups = new Uint16Array(8);
  if (!parseIpv6(address, groups)) return null;
  const prefix = suffix === null ? 128 : Number(suffix);
  if (isMapped(groups) && prefix >= 96) return createCidr(4, [groups[6], groups[7]], prefix - 96);
  return createCidr(6, Array.from(groups), prefix);
}

function createCidr(family: 4 | 6, groups: number[], prefix: number): Cidr | null {
  if (prefix > groups.length * 16) return null;
  return { family, prefix, groups: groups.map((group, index) => group & maskOf(prefix - index * 16)) };
}

/** The 16-bit mask of which `bits` leading bits are set; below 0 none, above 16 all. */
function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= 16 ? 0xffff : (0xffff << (16 - bits)) & 0xffff;
}

/** A set of address ranges. */
export interface CidrSet {
  /** True when the address lies in one of the ranges; false for anything that is not an address. Never throws. */
  contains(ip: string): boolean;
}

/** Builds a set of ranges; throws `TypeError` for a malformed one. An IPv4-mapped IPv6 address counts as IPv4. */
export function createCidrSet(cidrs: readonly string[]): CidrSet {
  const starts4: number[] = [];
  const ends4: number[] = [];
  const v6: Cidr[] = [];
  const v4: { start: number; end: number }[] = [];
  for (const text of cidrs) {
    const cidr = parseCidr(text);
    if (cidr === null) throw new TypeError('not an address range');
    if (cidr.family === 6) v6.push(cidr);
    else {
      const start = cidr.groups[0] * 65_536 + cidr.groups[1];
      v4.push({ start, end: start + 2 ** (32 - cidr.prefix) - 1 });
    }
  }
  // Overlapping ranges become one, so that a binary search suffices.
  v4.sort((a, b) => a.start - b.start);
  for (const range of v4) {
    const last = ends4.length - 1;
    if (last >= 0 && range.start <= ends4[last] + 1) ends4[last] = Math.max(ends4[last], range.end);
    else {
      starts4.push(range.start);
      ends4.push(range.end);
    }
  }
  const groups = new Uint16Array(8);
  return {
    contains(ip) {
      let bits = parseIpv4(ip);
      if (bits === -1) {
        if (!parseIpv6(ip, groups)) return false;
        if (!isMapped(groups)) return containsIpv6(v6, groups);
        bits = mappedBits(groups);
      }
      return containsIpv4(starts4, ends4, bits);
    },
  };
}

function containsIpv4(starts: readonly number[], ends: readonly number[], bits: number): boolean {
  let low = 0;
  let high = starts.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (bits < starts[middle]) high = middle - 1;
    else if (bits > ends[middle]) low = middle + 1;
    else return true;
  }
  return false;
}

function containsIpv6(ranges: readonly Cidr[], groups: Uint16Array): boolean {
  for (const range of ranges) {
    let index = 0;
    while (index < 8 && (groups[index] & maskOf(range.prefix - index * 16)) === range.groups[index]) index += 1;
    if (index === 8) return true;
  }
  return false;
}
