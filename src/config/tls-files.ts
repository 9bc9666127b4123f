/** The certificates, keys and authorities that a configuration names: found in it, read beside it, and put into it. */
import { resolve } from 'node:path';
import type { Findings } from './findings.ts';
import type { FileReader } from './source-file.ts';
import { readReferenced } from './source-file.ts';
import type { ValuePath } from './source-tree.ts';
import { valueAt } from './source-tree.ts';

/** Contents by absolute path; a string, or what is wrong with the file. */
export type TlsContents = ReadonlyMap<string, string | Error>;

/** One name of a file, and where in the written configuration it stands. */
interface TlsFile {
  readonly path: ValuePath;
  readonly file: string;
}

/** The key of the model that holds what a file held. */
const CONTENT_KEYS: Readonly<Record<string, string>> = { certFile: 'cert', keyFile: 'key', caFile: 'ca' };

/** Relative names are looked for beside the configuration. */
export function tlsFilesIn(root: unknown, directory: string): TlsFile[] {
  const found: TlsFile[] = [];
  const look = (path: ValuePath): void => {
    for (const key of Object.keys(CONTENT_KEYS)) {
      const file = valueAt(root, [...path, key]);
      if (typeof file === 'string' && file !== '') found.push({ path: [...path, key], file: resolve(directory, file) });
    }
  };
  const each = (path: ValuePath, visit: (item: ValuePath) => void): void => {
    const list = valueAt(root, path);
    if (Array.isArray(list)) for (let index = 0; index < list.length; index++) visit([...path, index]);
  };
  each(['listeners'], (listener) => {
    each([...listener, 'tls', 'certificates'], look);
    look([...listener, 'tls', 'clientCertificates']);
  });
  each(['services'], (service) => look([...service, 'tls']));
  return found;
}

export function readTlsFiles(root: unknown, directory: string, read: FileReader): Promise<TlsContents> {
  return readReferenced(
    tlsFilesIn(root, directory).map(({ file }) => file),
    read,
  );
}

/** Reports what is wrong with files that the configuration names. */
export function checkTlsFiles(root: unknown, directory: string, contents: TlsContents, findings: Findings): void {
  for (const { path, file } of tlsFilesIn(root, directory)) {
    const content = contents.get(file);
    if (typeof content === 'string') continue;
    const message = content?.message ?? `the file ${file} was not read`;
    findings.addReport({ severity: 'error', code: 'unreadable_file', path, message });
  }
}

/** What the file named at `path` held; null when none is named there, or it could not be read. */
export function contentAt(root: unknown, path: ValuePath, directory: string, contents: TlsContents): string | null {
  const file = valueAt(root, path);
  if (typeof file !== 'string' || file === '') return null;
  const content = contents.get(resolve(directory, file));
  return typeof content === 'string' ? content : null;
}

/** Puts the contents beside their names. */
export function putTlsContents(config: object, root: unknown, directory: string, contents: TlsContents): void {
  for (const { path, file } of tlsFilesIn(root, directory)) {
    const owner = valueAt(config, path.slice(0, -1)) as Record<string, unknown> | undefined;
    const content = contents.get(file);
    if (owner !== undefined && typeof content === 'string') owner[CONTENT_KEYS[path.at(-1) as string]] = content;
  }
}
