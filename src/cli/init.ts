/** `portico init`: a commented file to start from. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { OperatorError } from '../base/errors.ts';
import { type Command, parseCommandArgs } from './command.ts';

export const initCommand: Command = {
  name: 'init',
  summary: 'Writes a commented portico.yaml to start from; never overwrites one.',
  usage: '[DIR]',
  options: [],
  positionals: 1,
  run(args, io) {
    const { positionals } = parseCommandArgs(initCommand, args);
    const directory = resolve(io.cwd, positionals[0] ?? '.');
    const file = join(directory, 'portico.yaml');
    try {
      mkdirSync(directory, { recursive: true });
      writeFileSync(file, STARTING_FILE, { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new OperatorError(`${file} is there already`);
      throw new OperatorError(`${file} cannot be written: ${(error as Error).message}`);
    }
    io.out(`${file} written. Next: portico check ${file}, then portico start -c ${file}\n`);
    return Promise.resolve(0);
  },
};

/** Passes `portico check` as it stands. */
const STARTING_FILE = `# Portico. Every key: docs/reference/config.md. Check with: portico check portico.yaml
version: 1

listeners:
  - name: public
    address: 127.0.0.1:8080        # 0.0.0.0:8080 for the world
    # trustedProxies: [10.0.0.0/8] # whose X-Forwarded-For is believed

admin: { address: 127.0.0.1:9901 } # /metrics /status /gateway/health /livez /readyz

services:
  - name: users
    endpoints:
      - http://127.0.0.1:9001
      - http://127.0.0.1:9002
    loadBalancing: { algorithm: least-connections }
    healthCheck: { path: /health, interval: 10s, timeout: 2s }

routes:
  - name: user-by-id
    match: { path: "/users/{id}", methods: [GET, PUT] }
    service: users
    timeout: 5s
    retry: { attempts: 2, on: [connect-failure, reset, 503] }
    policies:
      - requestHeaders: { set: { X-API-Version: v1 } }

  - name: hello
    match: { path: /hello }
    respond: { status: 200, headers: { content-type: text/plain }, body: "it works\\n" }
`;
