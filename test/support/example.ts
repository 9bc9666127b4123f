/** An example of `examples/`, running: its origins, the gateway with its configuration, and its commands, on free ports. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { policySchemas } from '../../src/cli/config-file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { closeManaged, startManagedTest } from './managed.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Example {
  /** The ports that the origins got, in order. */
  readonly origins: readonly string[];
  /** Every line of the page's blocks of shell. */
  readonly commands: readonly string[];
  /** Runs one in a shell, as a reader would, on the ports of this test; rejects with what it printed when it fails. */
  run(command: string): Promise<string>;
  close(): Promise<void>;
}

/** The ports that a program prints, one a line; its end takes them with it. */
async function startOrigins(program: string, count: number): Promise<{ ports: string[]; end: () => void }> {
  const child = spawn(process.execPath, [program, ...Array(count).fill('0')], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const part of child.stdout) {
    text += part;
    const ports = [...text.matchAll(/127\.0\.0\.1:(\d+)\n/g)].map(([, port]) => port);
    if (ports.length === count) return { ports, end: () => void child.kill() };
  }
  throw new Error(`the origins ended: ${text}`);
}

/** Starts the example `name` with its origins, whose ports in the configuration are `written`. */
export async function startExample(name: string, written: readonly string[]): Promise<Example> {
  const at = join(ROOT, 'examples', name);
  const { findings } = await loadConfig(join(at, 'portico.yaml'), { policies: policySchemas });
  if (findings.length > 0) throw new Error(JSON.stringify(findings));
  const origins = await startOrigins(join(at, 'origin.js'), written.length);
  let text = readFileSync(join(at, 'portico.yaml'), 'utf8').replace(
    /address: 127\.0\.0\.1:\d+/g,
    'address: 127.0.0.1:0',
  );
  for (const [i, port] of written.entries()) text = text.replace(`:${port}`, `:${origins.ports[i]}`);
  const directory = mkdtempSync(join(tmpdir(), 'portico-example-'));
  const more = 'workers: 1\nlogging: { level: silent, access: false }\n';
  const gateway = await startManagedTest(text + more, { directory });
  const ports = new Map([
    ['8080', String(gateway.port)],
    ['9901', gateway.admin.split(':')[2]],
    ...written.map((port, i): [string, string] => [port, origins.ports[i]]),
  ]);
  const anyPort = new RegExp(`\\b(${[...ports.keys()].join('|')})\\b`, 'g');
  const page = readFileSync(join(at, 'README.md'), 'utf8');
  return {
    origins: origins.ports,
    commands: [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block.trim().split('\n')),
    run(command) {
      const script = command
        .replace(/^(node \S+client\.js)/, `$1 ${name === 'websocket' ? 'ws://127.0.0.1:8080/chat' : '127.0.0.1:8080'}`)
        .replace(anyPort, (port) => ports.get(port) ?? port)
        .replace(/^curl /, 'curl --silent --show-error --max-time 10 --noproxy "*" ');
      return new Promise((resolve, reject) => {
        execFile('sh', ['-c', script], { cwd: ROOT, encoding: 'utf8', timeout: 10_000 }, (error, out, err) => {
          if (error === null) resolve(out);
          else reject(new Error(`${script}: ${out}${err}`));
        });
      });
    },
    async close() {
      origins.end();
      await closeManaged();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
