/** fast-gateway as its README sets it up: one catch-all prefix, node:http on both sides. */
import gateway from 'fast-gateway';
import { keepAliveMs, origin, port, upstreamConnections } from './settings.js';

const service = gateway({
  routes: [
    {
      prefix: '',
      target: origin,
      proxyConfig: { maxSockets: upstreamConnections, maxFreeSockets: upstreamConnections },
    },
  ],
});
await service.start(port, '127.0.0.1');
service.getServer().keepAliveTimeout = keepAliveMs;
