/** `portico demo`: the gateway in front of three built-in services, with lines to try. */
import { formatAddress } from '../base/address.ts';
import { OperatorError } from '../base/errors.ts';
import { textOfFindings } from '../config/finding.ts';
import { parseConfigText } from '../config/load.ts';
import { createLogger } from '../observability/logger.ts';
import { type Command, parseCommandArgs } from './command.ts';
import { policySchemas } from './config-file.ts';
import { startDemoServices } from './demo-services.ts';
import { Lifecycle } from './lifecycle.ts';
import { serve } from './serve.ts';

export const demoCommand: Command = {
  name: 'demo',
  summary: 'Runs the gateway with three small built-in services behind it, and prints lines to try.',
  usage: '[--address HOST:PORT] [--admin HOST:PORT]',
  options: [
    { name: 'address', value: 'HOST:PORT', help: 'where the gateway listens; default 127.0.0.1:8080' },
    { name: 'admin', value: 'HOST:PORT', help: 'where metrics and status are; default 127.0.0.1:9901' },
  ],
  async run(args, io) {
    const parsed = parseCommandArgs(demoCommand, args);
    const address = parsed.text('address') ?? '127.0.0.1:8080';
    const services = await startDemoServices();
    try {
      const text = demoConfig(address, parsed.text('admin') ?? '127.0.0.1:9901', services.urls);
      const { config, findings } = await parseConfigText(text, { file: 'demo', policies: policySchemas, env: io.env });
      if (config === null) throw new OperatorError(textOfFindings(findings));
      const logger = createLogger({ level: config.logging.level });
      const server = await serve(config, logger).catch((error: Error) => {
        throw new OperatorError(
          `could not start: ${error.message} (another address: portico demo --address 127.0.0.1:0)`,
        );
      });
      const stopped = new Lifecycle(logger).untilStopped(server);
      const admin = server.admin === null ? '' : formatAddress(server.admin);
      io.out(linesToTry(formatAddress(server.addresses[0]), admin));
      await stopped;
    } finally {
      await services.close();
    }
    return 0;
  },
};

function demoConfig(address: string, admin: string, urls: Readonly<Record<string, string>>): string {
  return JSON.stringify({
    version: 1,
    workers: 1,
    listeners: [{ name: 'demo', address }],
    admin: { address: admin },
    shutdown: { drain: '0ms', timeout: '5s' },
    logging: { level: 'warn', access: false },
    services: Object.entries(urls).map(([name, url]) => {
      return { name, endpoints: [url], healthCheck: { path: '/health', interval: '5s', timeout: '1s' } };
    }),
    routes: [
      { name: 'users', match: { pathPrefix: '/users', methods: ['GET'] }, service: 'users' },
      { name: 'orders', match: { path: '/orders/*' }, service: 'orders', timeout: '2s', retry: { attempts: 2 } },
      {
        name: 'products-v2',
        match: { pathPrefix: '/api/v2/products' },
        service: 'products',
        rewrite: { stripPrefix: '/api/v2' },
        policies: [{ responseHeaders: { set: { 'X-API-Version': 'v2' } } }],
      },
      { name: 'products', match: { pathPrefix: '/products' }, service: 'products' },
      {
        name: 'teapot',
        match: { path: '/teapot' },
        respond: { status: 418, headers: { 'content-type': 'text/plain' }, body: 'short and stout\n' },
      },
    ],
  });
}

function linesToTry(address: string, admin: string): string {
  const base = `http://${address}`;
  return `Portico is listening on ${base}, in front of three services. Try, in another terminal:

  curl -i ${base}/users/1                 proxied, with a request id
  curl ${base}/orders                     another service
  curl -i ${base}/api/v2/products/p1      the prefix is stripped, a header is added
  curl -i ${base}/teapot                  answered by the gateway itself
  curl -i -X POST ${base}/users           405 with Allow
  curl ${base}/nowhere                    404 as problem+json
  curl http://${admin}/metrics                    what Prometheus reads
  curl http://${admin}/status                     routes, services, endpoints and their health

Ctrl-C stops it.
`;
}
