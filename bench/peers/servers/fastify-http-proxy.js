/** fastify with @fastify/http-proxy, its default undici client with as many connections as the others may use. */
import proxy from '@fastify/http-proxy';
import fastify from 'fastify';
import { keepAliveMs, origin, port, upstreamConnections } from './settings.js';

const app = fastify({ logger: false, keepAliveTimeout: keepAliveMs, bodyLimit: Number.MAX_SAFE_INTEGER });
await app.register(proxy, { upstream: origin, undici: { connections: upstreamConnections, pipelining: 1 } });
await app.listen({ host: '127.0.0.1', port });
