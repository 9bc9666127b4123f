/** The least that a proxy of node:http2's streams and undici's Pool.dispatch can be: the floor for what is built on them. */
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { Pool } from 'undici';
import { certificateFile, keyFile, origin, port, upstreamConnections } from './settings.js';

const pool = new Pool(origin, { connections: upstreamConnections, pipelining: 1 });

function forwardedHeaders(fields) {
  const headers = [];
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === ':authority') headers.push('host', fields[i + 1]);
    else if (fields[i].charCodeAt(0) !== 58) headers.push(fields[i], fields[i + 1]);
  }
  return headers;
}

class Relay {
  constructor(stream) {
    this.stream = stream;
  }

  onRequestStart(controller) {
    this.stream.on('drain', () => controller.resume());
    this.stream.on('close', () => {
      if (!this.stream.writableFinished) controller.abort(new Error('the client left'));
    });
  }

  onResponseStart(_controller, status, headers) {
    delete headers.connection;
    delete headers['keep-alive'];
    delete headers['transfer-encoding'];
    headers[':status'] = status;
    this.stream.respond(headers);
  }

  onResponseData(controller, chunk) {
    if (!this.stream.write(chunk)) controller.pause();
  }

  onResponseEnd() {
    this.stream.end();
  }

  onResponseError() {
    if (this.stream.headersSent) this.stream.close(2);
    else if (!this.stream.destroyed) this.stream.respond({ ':status': 502 }, { endStream: true });
  }
}

const END_STREAM = 1;
const server = createSecureServer({
  cert: readFileSync(certificateFile),
  key: readFileSync(keyFile),
  minVersion: 'TLSv1.3',
});
server.on('stream', (stream, head, flags, fields) => {
  stream.on('error', () => {});
  const body = (flags & END_STREAM) === 0 ? stream : null;
  pool.dispatch(
    { method: head[':method'], path: head[':path'], headers: forwardedHeaders(fields), body },
    new Relay(stream),
  );
});
server.listen(port, '127.0.0.1');
