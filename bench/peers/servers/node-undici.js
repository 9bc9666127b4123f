/** The least that a proxy of node:http and undici's Pool.dispatch can be: the floor for what is built on them. */
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { keepAliveMs, origin, port, upstreamConnections } from './settings.js';

const pool = new Pool(origin, { connections: upstreamConnections, pipelining: 1 });
const hopByHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect']);

function forwardedHeaders(raw) {
  const headers = [];
  for (let i = 0; i < raw.length; i += 2) {
    if (!hopByHop.has(raw[i].toLowerCase())) headers.push(raw[i], raw[i + 1]);
  }
  return headers;
}

class Relay {
  constructor(response) {
    this.response = response;
    this.controller = undefined;
  }

  onRequestStart(controller) {
    this.controller = controller;
    this.response.on('drain', () => controller.resume());
    this.response.on('close', () => {
      if (!this.response.writableFinished) controller.abort(new Error('the client left'));
    });
  }

  onResponseStart(_controller, status, headers, statusText) {
    delete headers.connection;
    delete headers['transfer-encoding'];
    this.response.writeHead(status, statusText, headers);
  }

  onResponseData(controller, chunk) {
    if (!this.response.write(chunk)) controller.pause();
  }

  onResponseEnd() {
    this.response.end();
  }

  onResponseError() {
    if (this.response.headersSent) this.response.destroy();
    else this.response.writeHead(502).end();
  }
}

function hasBody(request) {
  return request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
}

const server = createServer((request, response) => {
  const { method, url, rawHeaders } = request;
  const body = hasBody(request) ? request : null;
  pool.dispatch({ method, path: url, headers: forwardedHeaders(rawHeaders), body }, new Relay(response));
});
server.keepAliveTimeout = keepAliveMs;
server.listen(port, '127.0.0.1');
