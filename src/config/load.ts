/** Loads a configuration file: reads, fills in references, validates and checks, and reports all that is wrong at once. */
import { dirname, extname, resolve } from 'node:path';
import type { z } from 'zod';
import type { Address } from '../base/address.ts';
import { atOnce } from '../base/slices.ts';
import { schemasFor } from './built-schemas.ts';
import { checkAll } from './check-all.ts';
import type { Finding, FindingCode } from './finding.ts';
import { createFindings } from './findings.ts';
import type { GatewayConfig } from './model.ts';
import { parseTree } from './parse-tree.ts';
import { noPolicies, type PolicySchemas } from './policy-schemas.ts';
import { type QuarantinedRoute, quarantineRoutes } from './quarantine.ts';
import type { RouteLines } from './route-lines.ts';
import type { GatewaySchema } from './schema.ts';
import {
  type FileProblem,
  type FileReader,
  readInBackground,
  readReferenced,
  readText,
  readWhole,
} from './source-file.ts';
import { fileStart, type Place, parsePath, placeOf, type SourceTree } from './source-tree.ts';
import { referencedFiles, type SubstitutionSources } from './substitution.ts';
import { parseText } from './text-source.ts';
import { putTlsContents, readTlsFiles, type TlsContents } from './tls-files.ts';
import { importModule, readValue } from './typescript-source.ts';

export interface LoadOptions {
  /** What findings call the file; by default as it was given. */
  name?: string;
  /** The policies that may be used; none by default. */
  policies?: PolicySchemas;
  /** Where `${env.NAME}` looks; nothing by default. */
  env?: Readonly<Record<string, string | undefined>>;
  readFile?: FileReader;
  /** True where the process may end while a pipe is waited for; false by default. */
  inBackground?: boolean;
  /** Milliseconds since the Unix epoch, by which certificates are judged; the system's clock by default. */
  now?: () => number;
}

export interface LoadResult {
  /** The configuration, or null when there is an error among the findings that is not of a quarantined route. */
  config: GatewayConfig | null;
  /** Routes that were taken out of the configuration, with their errors, which stand among the findings too. */
  quarantined: QuarantinedRoute[];
  /** Errors and warnings in the order of their places. */
  findings: Finding[];
  /**
   * Where the file puts the admin listener, also when there are errors elsewhere in it: null when it turns it off, undefined
   * when the file could not be read that far.
   */
  adminAddress: Address | null | undefined;
  /** Absolute paths of every file that was read or asked for, to be watched. */
  files: string[];
  /** Where the value at a path such as `routes[2].match` stands; the nearest there is when the file has no such value. */
  locate(path: string): Place;
  /** Values that came from outside the file, by references: nothing shows them. */
  secrets: ReadonlySet<string>;
  /** What was read, with its references as they are written; null when nothing was. */
  source: ConfigText | null;
  /** Where the routes stand in it; null where that is not known. */
  routeLines: RouteLines | null;
}

/** What a loader finds, wherever it does its work. */
export type Loaded = Omit<LoadResult, 'locate'>;

/** What was loaded before, with the same options: what stands in the new text too need not be read again. */
export type Former = Pick<Loaded, 'config' | 'findings' | 'source' | 'routeLines'>;

/** Who loads configurations for a process. Rejects only where it fails itself. */
export interface ConfigLoader {
  file(path: string, options: LoadOptions, former?: Former): Promise<Loaded>;
  /** Text that stands for the file of this path. */
  text(source: ConfigText, path: string, options: LoadOptions, former?: Former): Promise<Loaded>;
}

/** Loads in this thread, which does nothing else meanwhile. */
export const loadHere: ConfigLoader = {
  file: (path, options) => loadConfig(path, options),
  text: (source, path, options) => loadConfigText(source, path, options),
};

/** A configuration as it is written: references are not filled in. */
export interface ConfigText {
  readonly text: string;
  readonly format: 'yaml' | 'json';
}

/** True for a file that is a program, by its name; every other one is YAML or JSON. */
export function isModule(path: string): boolean {
  return ['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'].includes(extname(path));
}

/** Loads a YAML, JSON or TypeScript file. Never rejects for what the file holds. */
export async function loadConfig(file: string, options: LoadOptions = {}): Promise<LoadResult> {
  const path = resolve(file);
  const name = options.name ?? file;
  if (isModule(path)) return loadModule(name, path, options);
  const source = await readSource(file, options);
  return 'text' in source ? loadConfigText(source, file, options) : failed(name, [path], source);
}

/** How files are read by these options. */
export function readerOf({ readFile, inBackground = false }: LoadOptions): FileReader {
  return readFile ?? (inBackground ? readInBackground : readWhole);
}

/** The text of a file that is no module, or why it cannot be had. */
export async function readSource(file: string, options: LoadOptions): Promise<ConfigText | FileProblem> {
  const path = resolve(file);
  const text = await readText(path, readerOf(options));
  return typeof text === 'string' ? { text, format: extname(path) === '.json' ? 'json' : 'yaml' } : text;
}

/** Loads text that stands for the file of this name: its relative references are read from beside it. */
export async function loadConfigText(source: ConfigText, file: string, options: LoadOptions = {}): Promise<LoadResult> {
  const path = resolve(file);
  const name = options.name ?? file;
  const { text } = source;
  const read = readerOf(options);
  const parsed = parseText(file, text);
  const directory = dirname(path);
  const wanted = parsed.references.flatMap((value) => referencedFiles(value, directory));
  const files = await readReferenced(wanted, read);
  const tree = parsed.tree({ env: options.env ?? {}, files, directory });
  const tls = await readTlsFiles(tree.root, directory, read);
  const loaded = finish(name, tree, { ...options, tls, directory }, [path, ...files.keys(), ...tls.keys()], source);
  return { ...loaded, routeLines: parsed.routeLines };
}

/** What `parseConfigText` needs beside the text. */
export interface TextOptions {
  /** Name in findings, and the directory of relative references; `portico.yaml` by default. */
  file?: string;
  policies?: PolicySchemas;
  env?: Readonly<Record<string, string | undefined>>;
  /** Contents of files that `${file:...}` names, by absolute path. */
  files?: Readonly<Record<string, string>>;
  /** As in `LoadOptions`. */
  now?: () => number;
}

/** Loads YAML or JSON text without touching the disk: for tests, and for text that came over the network. */
export function parseConfigText(text: string, options: TextOptions = {}): LoadResult {
  const file = options.file ?? 'portico.yaml';
  return finish(file, parseText(file, text).tree(givenSources(file, options)), given(file, options), []);
}

/** Validates plain values of the file's shape, such as those that a program puts together. */
export function parseConfigValue(value: unknown, options: TextOptions = {}): LoadResult {
  const file = options.file ?? 'portico.config.ts';
  return finish(file, readValue(value, givenSources(file, options)), given(file, options), []);
}

function given(file: string, { policies = noPolicies, files = {}, now = Date.now }: TextOptions): FinishOptions {
  return { policies, directory: dirname(resolve(file)), tls: new Map(Object.entries(files)), now };
}

function givenSources(file: string, { env = {}, files = {} }: TextOptions): SubstitutionSources {
  return { env, files: new Map(Object.entries(files)), directory: dirname(resolve(file)) };
}

async function loadModule(file: string, path: string, options: LoadOptions): Promise<LoadResult> {
  const read = readerOf(options);
  const text = await readText(path, read);
  if (typeof text !== 'string') return failed(file, [path], text);
  const module = await importModule(path);
  if (module.problem !== undefined) return failed(file, module.files, { code: 'module_failed', ...module.problem });
  const directory = dirname(path);
  const files = await readReferenced(module.references, read);
  const tree = readValue(module.value, { env: options.env ?? {}, files, directory }, text);
  const tls = await readTlsFiles(tree.root, directory, read);
  const loaded = finish(file, tree, { ...options, tls, directory }, [...module.files, ...files.keys(), ...tls.keys()]);
  if (loaded.config === null) return loaded;
  // A program is not a text to be kept: what it made is.
  return { ...loaded, source: { text: `${JSON.stringify(module.value, null, 2)}\n`, format: 'json' } };
}

/** Faults of the file itself in spite of which everything else can be read and checked. */
const leavesTheRest: ReadonlySet<FindingCode> = new Set(['unresolved_reference', 'duplicate_key', 'json_syntax']);

interface FinishOptions {
  readonly policies?: PolicySchemas;
  /** Where relative names of files begin. */
  readonly directory: string;
  readonly tls: TlsContents;
  readonly now?: () => number;
}

function finish(
  file: string,
  tree: SourceTree,
  options: FinishOptions,
  files: string[],
  source: ConfigText | null = null,
): LoadResult {
  const findings = createFindings(file, tree);
  for (const problem of tree.problems) findings.addSourceProblem(problem);
  const unreadable = tree.root === undefined || tree.problems.some(({ code }) => !leavesTheRest.has(code));
  const read = [...new Set(files)];
  const locate = (path: string): Place => placeOf(tree, parsePath(path), 'value');
  const { secrets } = tree;
  if (unreadable) {
    const nothing = { config: null, quarantined: [], adminAddress: undefined, routeLines: null };
    return { ...nothing, findings: findings.all(), files: read, locate, secrets, source };
  }
  const schemas = schemasFor(options.policies ?? noPolicies);
  // Of a value that is not known nothing more can be said.
  const unresolved = tree.problems.filter(({ code }) => code === 'unresolved_reference');
  const reported = unresolved.map(({ path }) => path);
  const parsed = parseTree(tree, schemas.whole, schemas.partial, reported);
  for (const problem of parsed.problems) findings.addValueProblem(problem);
  const { policies = noPolicies, directory, tls: contents, now = Date.now } = options;
  const isKnown = (): boolean => false;
  atOnce(checkAll({ ...parsed, policies, tree, directory, contents, findings, now: now(), isKnown }));
  const whole = findings.hasErrors() ? undefined : parsed.value;
  // Where nothing was left to check, nothing is known to be sound.
  const rest =
    whole === undefined && parsed.sound !== undefined ? quarantineRoutes(tree.root, schemas.whole, findings) : null;
  const value = whole ?? rest?.config;
  const admin = parsed.sound?.admin;
  if (value !== undefined) putTlsContents(value, tree.root, directory, contents);
  return {
    config: value === undefined ? null : configOf(value),
    quarantined: rest?.routes ?? [],
    findings: findings.all(),
    adminAddress: admin === false ? null : admin?.address,
    files: read,
    locate,
    secrets,
    source,
    routeLines: null,
  };
}

type Unfinished = Omit<GatewayConfig, 'admin'> & { admin: GatewayConfig['admin'] | false };

/** The model of what a file says, with what the files that it names hold: without `admin` where there is none. */
export function configOf(parsed: z.output<GatewaySchema>): GatewayConfig {
  const { admin, ...rest } = parsed as unknown as Unfinished;
  return admin === false || admin === undefined ? rest : { ...rest, admin };
}

function failed(file: string, files: string[], problem: FileProblem): LoadResult {
  const { code, message, place } = problem;
  const finding: Finding = { file, ...place, severity: 'error', code, message, path: '' };
  const nothing = { config: null, quarantined: [], adminAddress: undefined, secrets: new Set<string>(), source: null };
  return { ...nothing, routeLines: null, findings: [finding], files, locate: () => fileStart };
}
