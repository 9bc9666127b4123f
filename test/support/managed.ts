/** A gateway as `portico start` runs it, from a file, in this process. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from '../../src/base/logger.ts';
import { type ManagedGateway, type ManagedOptions, startManaged } from '../../src/cli/managed-gateway.ts';

export interface TestManaged extends ManagedGateway {
  /** Of the first listener. */
  readonly port: number;
  /** `http://host:port` of the admin listener. */
  readonly admin: string;
  readonly file: string;
  readonly directory: string;
  read(): string;
  write(text: string): void;
}

const open: (() => Promise<unknown> | undefined)[] = [];

/** For `afterEach`. */
export async function closeManaged(): Promise<void> {
  for (const close of open.splice(0)) await close();
}

export interface ManagedTestOptions extends Pick<ManagedOptions, 'clock' | 'onFiles' | 'onTlsFiles'> {
  readonly name?: string;
  readonly logger?: Logger;
  readonly drain?: () => void;
  readonly upgrade?: () => Promise<number>;
  readonly directory?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export async function startManagedTest(text: string, options: ManagedTestOptions = {}): Promise<TestManaged> {
  const { name = 'portico.yaml', logger = { ...silentLogger }, clock, drain, upgrade, onFiles, onTlsFiles } = options;
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'portico-managed-'));
  const file = join(directory, name);
  writeFileSync(file, text);
  const started = await startManaged({
    file: name,
    directory,
    env: options.env ?? {},
    logger,
    ...(clock === undefined ? {} : { clock }),
    ...(onFiles === undefined ? {} : { onFiles }),
    ...(onTlsFiles === undefined ? {} : { onTlsFiles }),
    ...(drain === undefined ? {} : { drain }),
    ...(upgrade === undefined ? {} : { upgrade }),
  });
  if ('findings' in started) throw new Error(JSON.stringify(started.findings));
  const { server, registry } = started;
  open.push(async () => {
    registry.close();
    server.abandon();
    await server.stop();
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
  });
  const { host, port } = server.admin ?? { host: '', port: 0 };
  return {
    ...started,
    port: server.addresses[0].port,
    admin: `http://${host}:${port}`,
    file,
    directory,
    read: () => readFileSync(file, 'utf8'),
    write: (next) => writeFileSync(file, next),
  };
}
