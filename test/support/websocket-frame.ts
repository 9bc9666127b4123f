/** Frames of a WebSocket, well and badly made (RFC 6455 section 5.2), and a plain reading of them. */

export interface FrameParts {
  readonly fin?: boolean;
  /** The three reserved bits, as they stand in the first byte. */
  readonly rsv?: number;
  readonly opcode?: number;
  readonly payload?: Buffer | string;
  /** Four bytes; null for none. */
  readonly mask?: Buffer | null;
  /** A length to declare in place of the payload's. */
  readonly declare?: number | bigint;
  /** Bytes of the extended length, more than needed when wanted: 0, 2 or 8. */
  readonly lengthBytes?: 0 | 2 | 8;
}

export const KEY: Buffer = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export function frame(parts: FrameParts): Buffer {
  const { fin = true, rsv = 0, opcode = 1, mask = null } = parts;
  const payload = Buffer.from(parts.payload ?? '');
  const declared = BigInt(parts.declare ?? payload.length);
  const lengthBytes = parts.lengthBytes ?? (declared < 126n ? 0 : declared < 65536n ? 2 : 8);
  const header = Buffer.alloc(2 + lengthBytes);
  header[0] = (fin ? 0x80 : 0) | rsv | opcode;
  header[1] = (mask === null ? 0 : 0x80) | (lengthBytes === 0 ? Number(declared) : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) header.writeUInt16BE(Number(declared), 2);
  if (lengthBytes === 8) header.writeBigUInt64BE(declared, 2);
  if (mask === null) return Buffer.concat([header, payload]);
  return Buffer.concat([header, mask, Buffer.from(payload.map((byte, i) => byte ^ mask[i & 3]))]);
}

/** A Close with this code, or without one. */
export function close(code: number | null, mask: Buffer | null = null, reason = ''): Buffer {
  const payload = Buffer.alloc(code === null ? 0 : 2);
  if (code !== null) payload.writeUInt16BE(code);
  return frame({ opcode: 8, payload: Buffer.concat([payload, Buffer.from(reason)]), mask });
}

export interface ReadFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly masked: boolean;
  readonly payload: Buffer;
  /** Of a Close, or null. */
  readonly code: number | null;
  readonly size: number;
}

/** The complete frame at the begin of `bytes`, unmasked; null when it is not complete. */
export function readFrame(bytes: Buffer): ReadFrame | null {
  if (bytes.length < 2) return null;
  const masked = (bytes[1] & 0x80) !== 0;
  let length = bytes[1] & 0x7f;
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return null;
    length = bytes.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return null;
    length = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  const key = bytes.subarray(at, at + 4);
  if (masked) at += 4;
  if (bytes.length < at + length) return null;
  const raw = bytes.subarray(at, at + length);
  const payload = masked ? Buffer.from(raw.map((byte, i) => byte ^ key[i & 3])) : Buffer.from(raw);
  const opcode = bytes[0] & 0x0f;
  return {
    opcode,
    fin: (bytes[0] & 0x80) !== 0,
    rsv: bytes[0] & 0x70,
    masked,
    payload,
    code: opcode === 8 && length >= 2 ? payload.readUInt16BE(0) : null,
    size: at + length,
  };
}

/** All complete frames, in order. */
export function readFrames(bytes: Buffer): ReadFrame[] {
  const frames: ReadFrame[] = [];
  for (let at = 0; ; ) {
    const read = readFrame(bytes.subarray(at));
    if (read === null) return frames;
    frames.push(read);
    at += read.size;
  }
}
