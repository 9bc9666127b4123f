/** Loads a configuration file: reads, fills in references, validates and checks, and reports all that is wrong at once. */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import { checkGateway } from './check-gateway.ts';
import type { Finding } from './finding.ts';
import { createFindings } from './findings.ts';
import type { GatewayConfig } from './model.ts';
import { parseTree } from './parse-tree.ts';
import { noPolicies, type PolicySchemas } from './policy-schemas.ts';
import { createGatewaySchema } from './schema.ts';
import { fileStart, type Place, type SourceTree, valueAt } from './source-tree.ts';
import { referencedFiles, SubstitutionError, type SubstitutionSources } from './substitution.ts';
import { filesReferencedBy, importModule, readValue } from './typescript-source.ts';
import { parseYaml, readYaml, referencesIn } from './yaml-source.ts';

/** Largest configuration file, in bytes: ten thousand routes take about three million. */
export const maxFileSize = 16 * 1024 * 1024;
const maxReferencedSize = 1024 * 1024;

/** Reads a whole file; rejects with the system's error code, as `fs.readFile` does. */
export type FileReader = (path: string) => Promise<Uint8Array>;

export interface LoadOptions {
  /** The policies that may be used; none by default. */
  policies?: PolicySchemas;
  /** Where `${env.NAME}` looks; nothing by default. */
  env?: Readonly<Record<string, string | undefined>>;
  readFile?: FileReader;
}

export interface LoadResult {
  /** The configuration, or null when there is an error among the findings. */
  config: GatewayConfig | null;
  /** Errors and warnings in the order of their places. */
  findings: Finding[];
  /** Absolute paths of every file that was read or asked for, to be watched. */
  files: string[];
}

/** Loads a YAML, JSON or TypeScript file. Never rejects for what the file holds. */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadResult> {
  const path = resolve(file);
  if (['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'].includes(extname(path))) return loadModule(file, path, options);
  const read = options.readFile ?? readWhole;
  const text = await readText(path, read);
  if (typeof text !== 'string') return failed(file, [path], text);
  const parsed = parseYaml(text);
  const directory = dirname(path);
  const wanted = referencesIn(parsed.document).flatMap((value) => referencedFiles(value, directory));
  const files = await readReferenced(wanted, read);
  const sources = { env: options.env ?? {}, files, directory };
  const tree = readYaml(parsed, sources);
  if (extname(path) === '.json' && tree.problems.length === 0) checkJson(text, tree);
  return finish(file, tree, options, [path, ...files.keys()]);
}

/** What `parseConfigText` needs beside the text. */
export interface TextOptions {
  /** Name in findings, and the directory of relative references; `portico.yaml` by default. */
  file?: string;
  policies?: PolicySchemas;
  env?: Readonly<Record<string, string | undefined>>;
  /** Contents of files that `${file:...}` names, by absolute path. */
  files?: Readonly<Record<string, string>>;
}

/** Loads YAML or JSON text without touching the disk: for tests, and for text that came over the network. */
export function parseConfigText(text: string, options: TextOptions = {}): LoadResult {
  const file = options.file ?? 'portico.yaml';
  const sources: SubstitutionSources = {
    env: options.env ?? {},
    files: new Map(Object.entries(options.files ?? {})),
    directory: dirname(resolve(file)),
  };
  return finish(file, readYaml(parseYaml(text), sources), options, []);
}

/** Validates plain values of the file's shape, such as those that a program puts together. */
export function parseConfigValue(value: unknown, options: TextOptions = {}): LoadResult {
  const file = options.file ?? 'portico.config.ts';
  const sources: SubstitutionSources = {
    env: options.env ?? {},
    files: new Map(Object.entries(options.files ?? {})),
    directory: dirname(resolve(file)),
  };
  return finish(file, readValue(value, sources), options, []);
}

async function loadModule(file: string, path: string, options: LoadOptions): Promise<LoadResult> {
  const read = options.readFile ?? readWhole;
  const text = await readText(path, read);
  if (typeof text !== 'string') return failed(file, [path], text);
  const module = await importModule(path);
  if (module.problem !== undefined) return failed(file, module.files, { code: 'module_failed', ...module.problem });
  const directory = dirname(path);
  const files = await readReferenced(filesReferencedBy(module.value, directory), read);
  const tree = readValue(module.value, { env: options.env ?? {}, files, directory });
  return finish(file, tree, options, [...module.files, ...files.keys()]);
}

function finish(file: string, tree: SourceTree, options: { policies?: PolicySchemas }, files: string[]): LoadResult {
  const findings = createFindings(file, tree);
  for (const problem of tree.problems) findings.addSourceProblem(problem);
  const unreadable = tree.root === undefined || tree.problems.some((problem) => problem.code !== 'unresolved_reference');
  if (unreadable) return { config: null, findings: findings.all(), files: [...new Set(files)] };
  const schema = createGatewaySchema(options.policies ?? noPolicies);
  const parsed = parseTree(tree, schema, tree.problems.map((problem) => problem.path));
  for (const problem of parsed.problems) findings.addValueProblem(problem);
  if (parsed.sound !== undefined) {
    const { sound, originOf } = parsed;
    checkGateway(sound, {
      raw: tree.root,
      written: (path) => valueAt(tree.root, originOf(path)),
      report: (report) => findings.addReport(report, originOf),
    });
  }
  const config = parsed.value === undefined || findings.hasErrors() ? null : withoutFalse(parsed.value);
  return { config, findings: findings.all(), files: [...new Set(files)] };
}

function withoutFalse({ admin, ...rest }: Omit<GatewayConfig, 'admin'> & { admin: GatewayConfig['admin'] | false }): GatewayConfig {
  return admin === false || admin === undefined ? rest : { ...rest, admin };
}

interface FileProblem {
  code: string;
  message: string;
  place: Place;
}

function failed(file: string, files: string[], problem: FileProblem): LoadResult {
  const { code, message, place } = problem;
  return { config: null, findings: [{ file, ...place, severity: 'error', code, message, path: '' }], files };
}

async function readWhole(path: string): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not `readFile`: a device or a pipe has no size to ask for beforehand.
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxFileSize) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function readText(path: string, read: FileReader): Promise<string | FileProblem> {
  let bytes: Uint8Array;
  try {
    bytes = await read(path);
  } catch (error) {
    return { code: 'unreadable_file', message: `the file ${reasonOf(error)}`, place: fileStart };
  }
  if (bytes.length > maxFileSize) return { code: 'unreadable_file', message: `the file ${reasons.EFBIG}`, place: fileStart };
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { code: 'not_utf8', message: 'the file is in UTF-16: save it as UTF-8', place: fileStart };
  }
  if (!isUtf8(bytes)) return { code: 'not_utf8', message: 'the file is not UTF-8: a broken character stands here', place: placeOfFault(bytes) };
  // The decoder drops a byte order mark.
  return new TextDecoder().decode(bytes);
}

/** Where the first byte stands that cannot be UTF-8. */
function placeOfFault(bytes: Uint8Array): Place {
  const text = new TextDecoder().decode(bytes);
  const before = text.slice(0, text.indexOf('\ufffd'));
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: before.length - lineStart + 1 };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a directory',
  EACCES: 'may not be read: permission denied',
  EPERM: 'may not be read: permission denied',
  ENOTDIR: 'does not exist: a part of its path is no directory',
  ELOOP: 'cannot be reached: its symbolic links go round in a circle',
  EFBIG: `is larger than ${maxFileSize / 1024 / 1024} MiB`,
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  return reasons[code] ?? `cannot be read (${code || 'unknown reason'})`;
}

async function readReferenced(paths: string[], read: FileReader): Promise<Map<string, string | SubstitutionError>> {
  const unique = [...new Set(paths)];
  const contents = await Promise.all(unique.map((path) => readSecret(path, read)));
  return new Map(unique.map((path, index) => [path, contents[index]]));
}

async function readSecret(path: string, read: FileReader): Promise<string | SubstitutionError> {
  try {
    const bytes = await read(path);
    if (bytes.length > maxReferencedSize) return new SubstitutionError(`the referenced file ${path} is larger than 1 MiB`);
    if (!isUtf8(bytes)) return new SubstitutionError(`the referenced file ${path} is not UTF-8`);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    return new SubstitutionError(`the referenced file ${path} ${reasonOf(error)}`);
  }
}

/** YAML allows more than JSON does; a file that is called JSON is held to JSON, since other programs will read it. */
function checkJson(text: string, tree: SourceTree): void {
  try {
    JSON.parse(text);
  } catch (error) {
    const position = /position (\d+)/.exec((error as Error).message);
    const before = position === null ? '' : text.slice(0, Number(position[1]));
    const place = { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
    tree.problems.push({ code: 'json_syntax', message: 'the file is YAML but not JSON: a comment, a comma too many or an unquoted word', place, path: [] });
  }
}
