/** The certificates, keys and authorities that a configuration names, for TLS and for policies: found in it, read beside it, and put into it. */
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
const CONTENT_KEYS: Readonly<Record<string, string>> = {
  certFile: 'cert',
  keyFile: 'key',
  caFile: 'ca',
  publicKeyFile: 'publicKey',
};

/** What an option of policies is called that names a file with a public key. */
export const POLICY_FILE = 'publicKeyFile';

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
  for (const path of policyFilePaths(root)) look(path);
  return found;
}

/** Lists of policies that were looked at: most of a configuration are the very same from one reload to the next. */
const namesNone = new WeakSet<readonly unknown[]>();

/**
 * Maps of options that name a file, in the policies of all scopes. Both as a file has them (`{ jwt: {...} }`) and as the model does
 * (`{ name: jwt, options: {...} }`), and within lists such as that of `anyOf`. Policies are many, so that this makes paths only where it finds one.
 */
export function policyFilePaths(root: unknown): ValuePath[] {
  const found: ValuePath[] = [];
  const scan = (uses: unknown, path: () => ValuePath): void => {
    if (!Array.isArray(uses) || uses.length === 0 || namesNone.has(uses)) return;
    const before = found.length;
    for (let index = 0; index < uses.length; index++) {
      const use: unknown = uses[index];
      if (!isMap(use)) continue;
      for (const key of Object.keys(use)) {
        const options = use[key];
        if (Array.isArray(options)) scan(options, () => [...path(), index, key]);
        else if (isMap(options) && options[POLICY_FILE] !== undefined) found.push([...path(), index, key]);
      }
    }
    if (found.length === before) namesNone.add(uses);
  };
  if (!isMap(root)) return found;
  scan(root.policies, () => ['policies']);
  for (const list of ['services', 'routes']) {
    const items = root[list];
    if (!Array.isArray(items)) continue;
    for (let i = 0; i < items.length; i++) if (isMap(items[i])) scan(items[i].policies, () => [list, i, 'policies']);
  }
  return found;
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where the model has what stands at a path of the file: a use of a policy is `{ name, options }` there. */
function modelPath(path: ValuePath): ValuePath {
  const from = path.indexOf('policies');
  return from < 0 ? path : path.map((step, index) => (index > from && typeof step === 'string' ? 'options' : step));
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
    const owner = valueAt(config, modelPath(path.slice(0, -1))) as Record<string, unknown> | undefined;
    const content = contents.get(file);
    if (owner !== undefined && typeof content === 'string') owner[CONTENT_KEYS[path.at(-1) as string]] = content;
  }
}
