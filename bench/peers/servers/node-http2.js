/**
 * The least that a proxy on node:http2's streams can be: heads are rewritten and nothing is checked, and answers must come in
 * one read. The floor for what is built on node:http2.
 */
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { connect } from 'node:net';
import { certificateFile, keyFile, origin, port } from './settings.js';

const { hostname, port: originPort } = new URL(origin);
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
const resting = [];

class Upstream {
  constructor() {
    this.answer = null;
    const callback = (size) => {
      const text = readBuffer.latin1Slice(0, size);
      const end = text.indexOf('\r\n\r\n');
      const { answer } = this;
      // The origin ends a connection after so many requests, and says so.
      if (!text.includes('Connection: close')) resting.push(this);
      answer(text.slice(0, end + 2), text.slice(end + 4));
      return true;
    };
    this.socket = connect({
      host: hostname,
      port: originPort,
      noDelay: true,
      onread: { buffer: readBuffer, callback },
    });
    this.socket.on('error', () => {});
  }
}

function requestHead(head, fields) {
  let text = `${head[':method']} ${head[':path']} HTTP/1.1\r\nhost: ${head[':authority']}\r\n`;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i].charCodeAt(0) !== 58) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  }
  return `${text}\r\n`;
}

function responseHeaders(head) {
  const headers = { ':status': Number(head.slice(9, 12)) };
  for (let start = head.indexOf('\r\n') + 2; start < head.length; ) {
    const end = head.indexOf('\r\n', start);
    const colon = head.indexOf(':', start);
    const name = head.slice(start, colon).toLowerCase();
    if (name !== 'connection' && name !== 'keep-alive') headers[name] = head.slice(colon + 2, end);
    start = end + 2;
  }
  return headers;
}

const server = createSecureServer({
  cert: readFileSync(certificateFile),
  key: readFileSync(keyFile),
  minVersion: 'TLSv1.3',
});
server.on('stream', (stream, head, _flags, fields) => {
  stream.on('error', () => {});
  const upstream = resting.pop() ?? new Upstream();
  upstream.answer = (answerHead, body) => {
    if (stream.destroyed || stream.closed) return;
    stream.respond(responseHeaders(answerHead), { sendDate: false });
    stream.end(body, 'latin1');
  };
  upstream.socket.write(requestHead(head, fields), 'latin1');
});
server.listen(port, '127.0.0.1');
