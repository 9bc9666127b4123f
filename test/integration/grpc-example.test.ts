/** examples/grpc as its README has it, on free ports. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { startTestGateway } from '../support/gateway.ts';
import { Signal } from '../support/waiting.ts';

const EXAMPLE = new URL('../../examples/grpc/', import.meta.url);
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

/** Runs a script of the example; what it writes is kept. */
function run(script: string, ...args: string[]): { until<T>(look: (out: string) => T | undefined): Promise<T> } {
  const child: ChildProcessWithoutNullStreams = spawn(process.execPath, [
    fileURLToPath(new URL(script, EXAMPLE)),
    ...args,
  ]);
  const signal = new Signal();
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      out += chunk;
      signal.notify();
    });
  }
  opened.push({ close: () => child.kill('SIGKILL') });
  return {
    until: (look) =>
      signal.until(
        () => look(out),
        () => `what was to come after ${out}`,
        20_000,
      ),
  };
}

test('the example does what its README says', async () => {
  const ports = await run('server.js', '0', '0').until((out) => {
    const found = [...out.matchAll(/:(\d+)\n/g)].map((match) => match[1]);
    return found.length === 2 ? found : undefined;
  });
  let text = readFileSync(new URL('portico.yaml', EXAMPLE), 'utf8')
    .replace('8080', '0')
    .replace(/^admin:.*$/m, 'admin: false');
  for (const [index, port] of ports.entries()) text = text.replace(`905${index + 1}`, port);
  const gateway = await startTestGateway(text);
  opened.push(gateway);
  const printed = await run('client.js', `127.0.0.1:${gateway.port}`).until((out) =>
    /trailers: .*\n/.test(out) ? out : undefined,
  );
  const readme = readFileSync(new URL('README.md', EXAMPLE), 'utf8');
  const [, promised] = /`client.js` prints[^\n]*\n\n```\n(.*?)```/s.exec(readme) ?? [];
  const normal = (lines: string): string[] =>
    lines
      .replace(/127\.0\.0\.1:\d+/g, 'a server')
      .trimEnd()
      .split('\n');
  expect(normal(printed)).toEqual(normal(promised));
  expect(new Set(printed.match(/127\.0\.0\.1:\d+/g))).toEqual(new Set(ports.map((port) => `127.0.0.1:${port}`)));
});
