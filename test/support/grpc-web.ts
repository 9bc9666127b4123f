/** gRPC-Web as a browser speaks it: frames, as they are or as base64, and the trailers in the last of them. */
import { deserialize, type Message, serialize } from './grpc.ts';

export interface WebAnswer {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly messages: Message[];
  /** By lower-case name; empty when there was no such frame. */
  readonly trailers: Readonly<Record<string, string>>;
}

/** A message in its frame. */
export function frame(message: Message): Buffer {
  const bytes = serialize(message);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** What the frames of an answer hold. Throws when they are no frames, or when something follows the trailers. */
export function readFrames(body: Buffer): Pick<WebAnswer, 'messages' | 'trailers'> {
  const messages: Message[] = [];
  const trailers: Record<string, string> = {};
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    const content = body.subarray(at + 5, end);
    if (content.length !== end - at - 5) throw new Error('a frame is cut');
    if (body[at] === 0) messages.push(deserialize(content));
    else if (body[at] !== 0x80 || end !== body.length)
      throw new Error('a frame of trailers that does not end the answer');
    else {
      for (const line of content.toString('latin1').split('\r\n').slice(0, -1)) {
        const colon = line.indexOf(':');
        trailers[line.slice(0, colon)] = line.slice(colon + 1).trim();
      }
    }
    at = end;
  }
  return { messages, trailers };
}

/** Base64 of one or more pieces, each padded by itself. */
export function decodePieces(text: string): Buffer {
  return Buffer.concat((text.match(/[^=]+=*/g) ?? []).map((piece) => Buffer.from(piece, 'base64')));
}

/** One call, its whole answer. */
export async function webCall(url: string, body: Buffer | string, headers: Record<string, string>): Promise<WebAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  const type = response.headers.get('content-type');
  const bytes = Buffer.from(await response.arrayBuffer());
  const isText = type?.includes('-text') === true;
  const { messages, trailers } = type?.startsWith('application/grpc-web')
    ? readFrames(isText ? decodePieces(bytes.toString('latin1')) : bytes)
    : { messages: [], trailers: {} };
  return { status: response.status, type, headers: response.headers, messages, trailers };
}
