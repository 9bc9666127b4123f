/** The two messages of `grpc.health.v1.Health/Check` as they stand on the wire, read and written without a schema. */

export const HEALTH_PATH = '/grpc.health.v1.Health/Check';

/** Flag and length before each message of gRPC, in bytes. */
const PREFIX = 5;

/** Field 1 with a length before it, and field 1 as a number. */
const SERVICE_FIELD = 0x0a;
const STATUS_FIELD = 1;

const VARINT = 0;
const EIGHT_BYTES = 1;
const WITH_LENGTH = 2;
const FOUR_BYTES = 5;

/** No number in here may be longer: it would be no 64-bit number. In bytes. */
const LONGEST_VARINT = 10;

export const SERVING_STATUSES: readonly string[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
export const SERVING = 1;

/** The body of the request: one message, empty where the whole server is asked for. */
export function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const field = name.length === 0 ? name : Buffer.concat([Buffer.from([SERVICE_FIELD, ...varint(name.length)]), name]);
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(field.length, 1);
  return Buffer.concat([prefix, field]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
  return bytes;
}

/** The `status` in the body of an answer, 0 where it is left out; -1 when the body is not exactly one such message. */
export function parseHealthResponse(body: Buffer): number {
  // A compressed message was not asked for.
  if (body.length < PREFIX || body[0] !== 0 || body.readUInt32BE(1) !== body.length - PREFIX) return -1;
  const reader = new FieldReader(body, PREFIX);
  let status = 0;
  while (reader.at < body.length) {
    const tag = reader.number();
    const field = Math.floor(tag / 8);
    if (field === 0) return -1;
    if (tag === STATUS_FIELD * 8 + VARINT) status = reader.number();
    else reader.skip(tag % 8);
    if (reader.broken) return -1;
  }
  return status;
}

/** Walks over the fields of a message. */
class FieldReader {
  at: number;
  /** True once something was not as it must be. */
  broken = false;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  number(): number {
    let value = 0;
    for (let i = 0; i < LONGEST_VARINT && this.at < this.bytes.length; i++) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return value;
    }
    this.broken = true;
    return 0;
  }

  skip(wireType: number): void {
    if (wireType === VARINT) this.number();
    else if (wireType === EIGHT_BYTES) this.at += 8;
    else if (wireType === FOUR_BYTES) this.at += 4;
    else if (wireType === WITH_LENGTH) {
      const length = this.number();
      this.at += length;
    } else this.broken = true;
    if (this.at > this.bytes.length) this.broken = true;
  }
}
