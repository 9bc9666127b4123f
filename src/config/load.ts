/** Loads a configuration file: reads, fills in references, validates and checks, and reports all that is wrong at once. */
import { dirname, extname, resolve } from 'node:path';
import { schemasFor } from './built-schemas.ts';
import { checkGateway } from './check-gateway.ts';
import type { Finding } from './finding.ts';
import { createFindings } from './findings.ts';
import type { GatewayConfig } from './model.ts';
import { parseTree } from './parse-tree.ts';
import { noPolicies, type PolicySchemas } from './policy-schemas.ts';
import { type FileProblem, type FileReader, readReferenced, readText, readWhole } from './source-file.ts';
import { fileStart, formatPath, type Place, parsePath, placeOf, type SourceTree, valueAt } from './source-tree.ts';
import { referencedFiles, type SubstitutionSources } from './substitution.ts';
import { filesReferencedBy, importModule, readValue } from './typescript-source.ts';
import { parseYaml, readYaml, referencesIn } from './yaml-source.ts';

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
  /** Where the value at a path such as `routes[2].match` stands; the nearest there is when the file has no such value. */
  locate(path: string): Place;
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
  const wanted = referencesIn(parsed).flatMap((value) => referencedFiles(value, directory));
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
  return finish(file, readYaml(parseYaml(text), givenSources(file, options)), options, []);
}

/** Validates plain values of the file's shape, such as those that a program puts together. */
export function parseConfigValue(value: unknown, options: TextOptions = {}): LoadResult {
  const file = options.file ?? 'portico.config.ts';
  return finish(file, readValue(value, givenSources(file, options)), options, []);
}

function givenSources(file: string, { env = {}, files = {} }: TextOptions): SubstitutionSources {
  return { env, files: new Map(Object.entries(files)), directory: dirname(resolve(file)) };
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
  const unreadable =
    tree.root === undefined || tree.problems.some((problem) => problem.code !== 'unresolved_reference');
  const read = [...new Set(files)];
  const locate = (path: string): Place => placeOf(tree, parsePath(path), 'value');
  if (unreadable) return { config: null, findings: findings.all(), files: read, locate };
  const schemas = schemasFor(options.policies ?? noPolicies);
  const reported = tree.problems.map((problem) => problem.path);
  const parsed = parseTree(tree, schemas.whole, schemas.partial, reported);
  for (const problem of parsed.problems) findings.addValueProblem(problem);
  if (parsed.sound !== undefined) {
    const { sound, originOf } = parsed;
    checkGateway(sound, {
      raw: tree.root,
      written: (path) => valueAt(tree.root, originOf(path)),
      nameOf: (path) => formatPath(originOf(path)),
      report: (report) => findings.addReport({ ...report, path: originOf(report.path) }),
      reportWritten: (report) => findings.addReport(report),
    });
  }
  const config = parsed.value === undefined || findings.hasErrors() ? null : withoutFalse(parsed.value);
  return { config, findings: findings.all(), files: read, locate };
}

function withoutFalse({
  admin,
  ...rest
}: Omit<GatewayConfig, 'admin'> & { admin: GatewayConfig['admin'] | false }): GatewayConfig {
  return admin === false || admin === undefined ? rest : { ...rest, admin };
}

function failed(file: string, files: string[], problem: FileProblem): LoadResult {
  const { code, message, place } = problem;
  const finding: Finding = { file, ...place, severity: 'error', code, message, path: '' };
  return { config: null, findings: [finding], files, locate: () => fileStart };
}

/** YAML allows more than JSON does; a file that is called JSON is held to JSON, since other programs will read it. */
function checkJson(text: string, tree: SourceTree): void {
  try {
    JSON.parse(text);
  } catch (error) {
    const position = /position (\d+)/.exec((error as Error).message);
    const before = position === null ? '' : text.slice(0, Number(position[1]));
    const place = { line: before.split('\n').length, column: before.length - before.lastIndexOf('\n') };
    tree.problems.push({
      code: 'json_syntax',
      message: 'the file is YAML but not JSON: a comment, a comma too many or an unquoted word',
      place,
      path: [],
    });
  }
}
