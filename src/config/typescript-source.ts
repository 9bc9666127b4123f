/** Reads a configuration that is a TypeScript or JavaScript module, and plain values handed over by programs. */
import { stripVTControlCharacters } from 'node:util';
import { defineGateway } from './define.ts';
import { type Entry, emptyTree, fileStart, type Place, type SourceTree, type ValuePath } from './source-tree.ts';
import {
  hasReference,
  referencedFiles,
  SubstitutionError,
  type SubstitutionSources,
  substitute,
} from './substitution.ts';

const maxDepth = 64;
const maxMaps = 200_000;

/** What a module exported, the modules that were read for it, and why it could not be run. */
export interface ModuleResult {
  value: unknown;
  files: string[];
  problem?: { message: string; place: Place };
}

/** Runs a configuration module anew, so that a reload sees its present text, and takes its default export. */
export async function importModule(file: string): Promise<ModuleResult> {
  const files = new Set([file]);
  try {
    // Loaded only here: most configurations are YAML, and this carries a whole compiler.
    const { createJiti } = await import('jiti');
    const options = { fsCache: false, moduleCache: false, interopDefault: false };
    const compiler = createJiti(file, options);
    const jiti = createJiti(file, {
      ...options,
      // The file may stand anywhere, also where no `portico` is installed.
      virtualModules: { 'portico/config': { defineGateway } },
      transform(request) {
        if (request.filename !== undefined) files.add(request.filename);
        return { code: compiler.transform(request) };
      },
    });
    const module = await jiti.import<{ default?: unknown }>(file);
    if (module.default === undefined) {
      return { value: undefined, files: [...files], problem: { message: 'has no default export', place: fileStart } };
    }
    return { value: await module.default, files: [...files] };
  } catch (error) {
    return { value: undefined, files: [...files], problem: describe(error, file) };
  }
}

function describe(error: unknown, file: string): { message: string; place: Place } {
  const text = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const at = stack.indexOf(`${file}:`);
  const inStack = at === -1 ? null : /^:(\d+):(\d+)/.exec(stack.slice(at + file.length));
  const inText = /\((\d+):(\d+)\)/.exec(text) ?? /:(\d+):(\d+)/.exec(text);
  const found = inStack ?? inText;
  const place = found === null ? fileStart : { line: Number(found[1]), column: Number(found[2]) };
  const message = stripVTControlCharacters(text).split('\n', 1)[0];
  return { message: `the file could not be run: ${message}`, place };
}

/** Files that strings within a value refer to. */
export function filesReferencedBy(value: unknown, directory: string): string[] {
  const found: string[] = [];
  const seen = new Set<unknown>();
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next === 'string' && hasReference(next)) found.push(...referencedFiles(next, directory));
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    pending.push(...Object.values(next));
  }
  return found;
}

/** Builds the tree of plain values and fills in their references; every place is the file's beginning. */
export function readValue(value: unknown, sources: SubstitutionSources): SourceTree {
  const tree = emptyTree();
  if (value === undefined) {
    tree.problems.push({ code: 'empty_file', message: 'there is no configuration', place: fileStart, path: [] });
  }
  tree.root = copy(value, [], undefined, { tree, sources, values: 0 });
  return tree;
}

interface Copying {
  tree: SourceTree;
  sources: SubstitutionSources;
  values: number;
}

function copy(value: unknown, path: ValuePath, entry: Entry | undefined, copying: Copying): unknown {
  const { tree } = copying;
  if (typeof value === 'string' && hasReference(value)) return fill(value, path, entry, copying);
  const isList = Array.isArray(value);
  // Functions and instances of classes are handed on as they are: a policy's schema may want them.
  if (!isList && !isPlain(value)) return value;
  copying.values += 1;
  if (copying.values > maxMaps) return undefined;
  if (path.length > maxDepth || copying.values === maxMaps) {
    const code = copying.values === maxMaps ? 'file_too_large' : 'too_deep';
    const limit = code === 'too_deep' ? `nested deeper than ${maxDepth} levels` : `more than ${maxMaps} maps and lists`;
    tree.problems.push({ code, message: `${limit}: does a value hold itself?`, place: fileStart, path });
    return undefined;
  }
  const result = (isList ? [] : {}) as Record<string | number, unknown>;
  const entries = new Map<string | number, Entry>();
  tree.entries.set(result, entries);
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const step = isList ? Number(key) : key;
    const own: Entry = { key: fileStart, value: fileStart };
    entries.set(step, own);
    const filled = copy(inner, [...path, step], own, copying);
    Object.defineProperty(result, step, { value: filled, writable: true, enumerable: true, configurable: true });
  }
  return result;
}

function fill(text: string, path: ValuePath, entry: Entry | undefined, { tree, sources }: Copying): string {
  try {
    const result = substitute(text, sources);
    for (const secret of result.secrets) tree.secrets.add(secret);
    if (entry !== undefined) entry.written = { text, result };
    return result.value;
  } catch (error) {
    if (!(error instanceof SubstitutionError)) throw error;
    tree.problems.push({ code: 'unresolved_reference', message: error.message, place: fileStart, path });
    return text;
  }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // Modules run by the loader may come from another realm, whose Object is not ours.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
