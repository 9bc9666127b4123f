/** The origin of the WebSocket scenarios: sends every message back as it came; what is no handshake gets the answer. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const [port, answer] = process.argv.slice(2);
/** RFC 6455 section 1.3. */
const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** First bytes of a frame, its mask with them. The clients of the benchmark send no longer messages than 125 bytes. */
const HEAD = 6;

/** The whole frames in `bytes`, unmasked, as one piece to send back; what is left of them goes to `keep`. */
function unmaskAll(bytes, keep) {
  let at = 0;
  let out = 0;
  // A frame without its mask is shorter than it was: the answer is written over what was read.
  while (bytes.length - at >= HEAD) {
    const length = bytes[at + 1] & 127;
    if (length > 125) throw new Error('a longer message than the benchmark sends');
    if (bytes.length - at < HEAD + length) break;
    const mask = at + 2;
    const [m0, m1, m2, m3] = [bytes[mask], bytes[mask + 1], bytes[mask + 2], bytes[mask + 3]];
    const keys = [m0, m1, m2, m3];
    bytes[out] = bytes[at];
    bytes[out + 1] = length;
    for (let i = 0; i < length; i++) bytes[out + 2 + i] = bytes[at + HEAD + i] ^ keys[i & 3];
    at += HEAD + length;
    out += 2 + length;
  }
  keep(bytes.subarray(at));
  return bytes.subarray(0, out);
}

const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) };
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, headers).end(answer);
});
server.keepAliveTimeout = 600_000;
server.on('upgrade', (request, socket, head) => {
  const accept = createHash('sha1')
    .update(request.headers['sec-websocket-key'] + MAGIC)
    .digest('base64');
  const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`);
  let rest = head;
  const onData = (part) => {
    const bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
    const echoed = unmaskAll(bytes, (left) => {
      rest = left.length === 0 ? left : Buffer.from(left);
    });
    if (echoed.length > 0) socket.write(Buffer.from(echoed));
  };
  socket.setNoDelay(true);
  socket.on('data', onData);
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
});
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
