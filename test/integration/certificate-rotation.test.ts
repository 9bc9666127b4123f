/** Certificates change under a gateway that runs: new handshakes have the new ones, whatever way the files are replaced. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { systemTimers } from '../../src/base/clock.ts';
import { type LogFields, silentLogger } from '../../src/base/logger.ts';
import { FileWatches } from '../../src/cli/file-watches.ts';
import { createAuthority, type IssuedCertificate } from '../support/certificates.ts';
import { closeManaged, startManagedTest } from '../support/managed.ts';
import { Signal } from '../support/waiting.ts';

const authority = createAuthority();
const first = authority.issue({ names: ['a.example'] });
const second = authority.issue({ names: ['a.example'] });

const closing: (() => void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) close();
  await closeManaged();
});

function configText(certFile: string, keyFile: string, body = 'one', workers = 1): string {
  return `version: 1
workers: ${workers}
shutdown: { drain: 0ms, timeout: 1s }
logging: { level: info, access: false }
admin: { address: "127.0.0.1:0" }
listeners:
  - name: secure
    address: 127.0.0.1:0
    tls: { certificates: [{ certFile: ${certFile}, keyFile: ${keyFile} }] }
routes: [{ name: r, match: { pathPrefix: / }, respond: { status: 200, body: ${body} } }]
`;
}

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

async function start(directory: string, text: string, watchConfig = false) {
  const lines: Line[] = [];
  const logged = new Signal();
  const line =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
      logged.notify();
    };
  const logger = { ...silentLogger, info: line('info'), warn: line('warn'), error: line('error') };
  const watches = new FileWatches({ timers: systemTimers, watchConfig });
  const gateway = await startManagedTest(text, {
    directory,
    logger,
    onFiles: (files) => watches.onFiles(files),
    onTlsFiles: (files) => watches.onTlsFiles(files),
  });
  watches.begin(gateway.control);
  closing.push(() => watches.close());
  const until = (message: string, times = 1): Promise<Line> =>
    logged.until(
      () => lines.filter((one) => one.message === message)[times - 1],
      () => `${message}; logged were ${JSON.stringify(lines)}`,
    );
  return { ...gateway, lines, until, watches };
}

function emptyDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'portico-certificates-'));
  closing.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function writePair(directory: string, { cert, key }: IssuedCertificate): void {
  writeFileSync(join(directory, 'tls.crt'), cert);
  writeFileSync(join(directory, 'tls.key'), key);
}

async function handshake(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', servername: 'a.example', ca: authority.ca });
  closing.push(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

async function shown(port: number): Promise<string | undefined> {
  return (await handshake(port)).getPeerX509Certificate()?.fingerprint256;
}

const fingerprint = ({ cert }: IssuedCertificate): string => new X509Certificate(cert).fingerprint256;

async function answerOn(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString('latin1').split('\r\n')[0];
}

async function metric(admin: string, name: string): Promise<string[]> {
  const page = await (await fetch(`${admin}/metrics`)).text();
  return page.split('\n').filter((line) => line.startsWith(name));
}

describe('a pair that is replaced', () => {
  test('is shown to new clients, and those that are there stay', async () => {
    const directory = emptyDirectory();
    writePair(directory, first);
    const gateway = await start(directory, configText('tls.crt', 'tls.key'));
    const old = await handshake(gateway.port);
    expect(old.getPeerX509Certificate()?.fingerprint256).toBe(fingerprint(first));
    // A newer text that nobody asked to load.
    gateway.write(configText('tls.crt', 'tls.key', 'two'));
    writePair(directory, second);
    await gateway.until('certificates renewed');
    expect(await shown(gateway.port)).toBe(fingerprint(second));
    expect(await answerOn(old)).toBe('HTTP/1.1 200 OK');
    expect(gateway.control.config.routes[0].respond?.body).toBe('one');
    expect(gateway.control.picture()).toMatchObject({ cause: 'certificate', lastReload: { result: 'success' } });
    expect(gateway.control.history.map(({ generation, cause }) => `${generation} ${cause}`)).toEqual([
      '2 certificate',
      '1 start',
    ]);
    expect(await metric(gateway.admin, 'portico_config_reloads_total')).toEqual([
      'portico_config_reloads_total{result="failure"} 0',
      'portico_config_reloads_total{result="success"} 1',
    ]);
  });

  test('may lie behind a link that is swapped, as mounted secrets do', async () => {
    const directory = emptyDirectory();
    for (const [name, pair] of [
      ['..1', first],
      ['..2', second],
    ] as const) {
      mkdirSync(join(directory, name));
      writePair(join(directory, name), pair);
    }
    symlinkSync('..1', join(directory, '..data'));
    for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(directory, name));
    const gateway = await start(emptyDirectory(), configText(join(directory, 'tls.crt'), join(directory, 'tls.key')));
    expect(await shown(gateway.port)).toBe(fingerprint(first));
    symlinkSync('..2', join(directory, '..data_tmp'));
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    await gateway.until('certificates renewed');
    expect(await shown(gateway.port)).toBe(fingerprint(second));
    // And again: the watch has gone with the link.
    rmSync(join(directory, '..1'), { recursive: true });
    mkdirSync(join(directory, '..3'));
    writePair(join(directory, '..3'), first);
    symlinkSync('..3', join(directory, '..data_tmp'));
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
    await gateway.until('certificates renewed', 2);
    expect(await shown(gateway.port)).toBe(fingerprint(first));
  });

  test.each([
    ['a key of another certificate', { key: second.key }, 'key_mismatch', 'keyFile'],
    ['no certificate', { cert: 'gone' }, 'invalid_certificate', 'certFile'],
  ])('is refused when it is broken: %s', async (_, part, code, key) => {
    const directory = emptyDirectory();
    writePair(directory, first);
    const gateway = await start(directory, configText('tls.crt', 'tls.key'));
    writePair(directory, { ...first, ...part });
    const { fields } = await gateway.until('changed certificates refused; those that run stay');
    const path = `listeners[0].tls.certificates[0].${key}`;
    expect(fields).toMatchObject({ cause: 'certificate', findings: [{ file: 'portico.yaml', line: 9, code, path }] });
    expect(await shown(gateway.port)).toBe(fingerprint(first));
    expect(gateway.control.generation).toBe(1);
    expect((await metric(gateway.admin, 'portico_config_reloads_total'))[0]).toMatch(/failure"} 1$/);
    expect(gateway.control.picture().lastReload).toMatchObject({ cause: 'certificate', result: 'failure' });
    writePair(directory, second);
    await gateway.until('certificates renewed');
    expect(await shown(gateway.port)).toBe(fingerprint(second));
  });

  test('is shown by every worker, and counted down once', async () => {
    const directory = emptyDirectory();
    writePair(directory, first);
    const gateway = await start(directory, configText('tls.crt', 'tls.key', 'one', 2));
    writePair(directory, second);
    await gateway.until('certificates renewed');
    for (let i = 0; i < 16; i++) expect(await shown(gateway.port)).toBe(fingerprint(second));
    const [sample, ...more] = await metric(gateway.admin, 'portico_tls_certificate_expiry_seconds');
    expect(sample).toMatch(
      /^portico_tls_certificate_expiry_seconds\{listener="secure",service="",name="a\.example"\} 25\d{5}$/,
    );
    expect(more).toEqual([]);
    // Programs of workers are compiled at their first start.
  }, 60_000);

  test('that holds what it held makes no generation', async () => {
    const directory = emptyDirectory();
    writePair(directory, first);
    const gateway = await start(directory, configText('tls.crt', 'tls.key'));
    utimesSync(join(directory, 'tls.crt'), 1, 1);
    expect(await gateway.control.renew('certificate')).toMatchObject({ result: 'success' });
    expect(gateway.control.generation).toBe(1);
    expect(gateway.control.picture().lastReload).toBeNull();
    expect(gateway.lines.map(({ message }) => message)).not.toContain('certificates renewed');
  });

  test('is read by a reload too', async () => {
    const directory = emptyDirectory();
    writePair(directory, first);
    const gateway = await start(directory, configText('tls.crt', 'tls.key'));
    gateway.watches.close();
    writePair(directory, second);
    expect(await gateway.control.reload('signal')).toMatchObject({ result: 'success' });
    expect(gateway.control.picture().cause).toBe('signal');
    expect(await shown(gateway.port)).toBe(fingerprint(second));
  });
});

describe('with the configuration watched too', () => {
  test('a text that was refused for its certificates is taken when they are mended', async () => {
    const directory = emptyDirectory();
    writePair(directory, first);
    const gateway = await start(directory, configText('tls.crt', 'tls.key'), true);
    writeFileSync(join(directory, 'tls.key'), second.key);
    await gateway.until('changed certificates refused; those that run stay');
    gateway.write(configText('tls.crt', 'tls.key', 'two'));
    await gateway.until('reload refused: the file has errors; the running configuration stays');
    writeFileSync(join(directory, 'tls.crt'), second.cert);
    await gateway.until('reloaded');
    expect(await shown(gateway.port)).toBe(fingerprint(second));
    expect(gateway.control.config.routes[0].respond?.body).toBe('two');
  });

  test('certificates that a newer text names are watched from then on', async () => {
    const directory = emptyDirectory();
    writePair(directory, first);
    const gateway = await start(directory, configText('tls.crt', 'tls.key'), true);
    writeFileSync(join(directory, 'other.crt'), first.cert);
    gateway.write(configText('other.crt', 'tls.key'));
    await gateway.until('reloaded');
    writeFileSync(join(directory, 'tls.key'), second.key);
    writeFileSync(join(directory, 'other.crt'), second.cert);
    await gateway.until('certificates renewed');
    expect(await shown(gateway.port)).toBe(fingerprint(second));
  });
});
