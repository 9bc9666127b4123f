/** express with http-proxy-middleware and a keep-alive agent (without one it would open a connection per request). */
import { Agent } from 'node:http';
import express from 'express';
import { createProxyMiddleware } from 'http-proxy-middleware';
import { keepAliveMs, origin, port, upstreamConnections } from './settings.js';

const agent = new Agent({ keepAlive: true, maxSockets: upstreamConnections, maxFreeSockets: upstreamConnections });
const app = express();
app.use(createProxyMiddleware({ target: origin, xfwd: true, agent }));
app.listen(port, '127.0.0.1').keepAliveTimeout = keepAliveMs;
