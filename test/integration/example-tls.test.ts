/** The example of TLS, run as its page says: every command on it, against certificates that its script makes. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemTimers } from '../../src/base/clock.ts';
import { FileWatches } from '../../src/cli/file-watches.ts';
import { loadConfig } from '../../src/config/load.ts';
import { hasCurl } from '../support/curl.ts';
import { closeManaged, startManagedTest, type TestManaged } from '../support/managed.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/tls', import.meta.url));
const hasOpenssl = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;

const page = readFileSync(join(EXAMPLE, 'README.md'), 'utf8');
const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block.trim().split('\n'));

describe.skipIf(!(hasCurl && hasOpenssl) && process.env.REQUIRE_SERVICES !== '1')('the example', () => {
  let directory: string;
  let gateway: TestManaged;
  const ports = new Map<string, string>();
  const ends: (() => void)[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'portico-example-'));
    cpSync(EXAMPLE, directory, { recursive: true, filter: (path) => !path.includes('certificates/') });
    expect((await run(commands[0])).exit).toBe(0);
    const text = readFileSync(join(directory, 'portico.yaml'), 'utf8');
    expect((await loadConfig(join(directory, 'portico.yaml'))).findings).toEqual([]);
    ports.set('9443', await startOrigin(directory));
    const watches = new FileWatches({ timers: systemTimers, watchConfig: false });
    const free = text.replace(/address: 127.0.0.1:\d+/g, 'address: 127.0.0.1:0').replace('9443', portOf('9443'));
    gateway = await startManagedTest(
      `${free}admin: { address: "127.0.0.1:0" }\nworkers: 1\nlogging: { access: false }\n`,
      {
        directory,
        onTlsFiles: (files) => watches.onTlsFiles(files),
      },
    );
    watches.begin(gateway.control);
    ends.push(() => watches.close());
    const [shop, partners] = gateway.server.addresses;
    ports.set('8443', String(shop.port)).set('8444', String(partners.port));
    ports.set('9901', gateway.admin.split(':')[2]);
  });

  afterAll(async () => {
    for (const end of ends) end();
    await closeManaged();
    rmSync(directory, { recursive: true, force: true });
  });

  function portOf(written: string): string {
    return ports.get(written) ?? written;
  }

  async function startOrigin(cwd: string): Promise<string> {
    const origin = spawn(process.execPath, ['origin.js', '0'], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    ends.push(() => origin.kill());
    for await (const line of origin.stdout) {
      const port = /127\.0\.0\.1:(\d+)/.exec(String(line))?.[1];
      if (port !== undefined) return port;
    }
    throw new Error('the origin ended');
  }

  /** In a shell, as a reader of the page would, on the ports of this test. */
  function run(command: string): Promise<{ exit: number; out: string; err: string }> {
    const script = command
      .replace(/\b(8443|8444|9901)\b/g, portOf)
      .replace(/^curl /, 'curl --silent --show-error --max-time 10 --noproxy "*" ');
    return new Promise((resolve) => {
      execFile('sh', ['-c', script], { cwd: directory, encoding: 'utf8' }, (error, out, err) => {
        resolve({ exit: error === null ? 0 : Number(error.code), out, err });
      });
    });
  }

  const asked = commands.filter((command) => command.startsWith('curl '));

  test.each([
    [0, { out: /^hello over TLS\n$/ }],
    [1, { out: /^hello over TLS\n$/, err: /subject: O=Example; CN=partners/ }],
    [2, { out: /"caller":"O=Example\\nCN=gateway".*"host":"localhost/ }],
    [3, { out: /"x-client-cert-subject":"CN=anna,O=Example","x-client-cert-san":"email:anna@example.com"/ }],
    // How the client puts it depends on when it learns of it.
    [4, { isRefused: true, out: /^$/ }],
    [5, { out: /\{listener="",service="orders",name="gateway.internal"\} 77\d{5}\n[\s\S]*\{listener="shop",/ }],
  ])('does what line %d of its requests is about', async (index, { isRefused = false, out, err }: Expected) => {
    const result = await run(asked[index]);
    if (out !== undefined) expect(result.out).toMatch(out);
    if (err !== undefined) expect(result.err).toMatch(err);
    expect(result.exit !== 0).toBe(isRefused);
  });

  test('has no other requests', () => {
    expect(asked).toHaveLength(6);
  });

  test('renews its certificates under way', async () => {
    const serial = async (): Promise<string> => {
      const shown = `openssl s_client -connect 127.0.0.1:8443 -servername localhost </dev/null 2>/dev/null | openssl x509 -noout -serial`;
      return (await run(shown)).out;
    };
    const before = await serial();
    expect(before).toMatch(/^serial=/);
    expect((await run('sh make-certificates.sh')).exit).toBe(0);
    await expect.poll(() => gateway.control.picture().cause).toBe('certificate');
    expect(await serial()).not.toBe(before);
    expect((await run(asked[2])).out).toContain('"caller"');
  });
});

interface Expected {
  readonly isRefused?: boolean;
  readonly out?: RegExp;
  readonly err?: RegExp;
}
