/** Reads a configuration that is a TypeScript or JavaScript module, and plain values handed over by programs. */
import { dirname } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { LineCounter } from 'yaml';
import { defineGateway } from './define.ts';
import { exportedLiteral, type LiteralNode } from './literal-places.ts';
import {
  type Entry,
  emptyTree,
  fileStart,
  type Place,
  type SourceTree,
  type TreeWithPlaces,
  type ValuePath,
} from './source-tree.ts';
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
  /** Files that strings within the value refer to. */
  references: string[];
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
      return failed(files, { message: 'has no default export', place: fileStart });
    }
    const value = await module.default;
    // Looked through here, since what a module makes may be a program still: a getter, for one.
    return { value, files: [...files], references: filesReferencedBy(value, dirname(file)) };
  } catch (error) {
    return failed(files, describe(error, file));
  }
}

function failed(files: ReadonlySet<string>, problem: ModuleResult['problem'] & object): ModuleResult {
  return { value: undefined, files: [...files], references: [], problem };
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

function filesReferencedBy(value: unknown, directory: string): string[] {
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

/**
 * Builds the tree of plain values and fills in their references. `text` is the module that they come from: what it exports as
 * a literal has its place there, what is made elsewhere has the place of the literal around it.
 */
export function readValue(value: unknown, sources: SubstitutionSources, text = ''): SourceTree {
  const tree = emptyTree(true, new WeakMap());
  if (value === undefined) {
    tree.problems.push({ code: 'empty_file', message: 'there is no configuration', place: fileStart, path: [] });
  }
  const literal = exportedLiteral(text);
  const placeAt = placesOf(text);
  if (literal !== null) tree.start = placeAt(literal.offset);
  const copying = { tree, sources, placeAt, values: 0 };
  tree.root = copy(value, { path: [], place: tree.start, literal: literal ?? undefined }, copying);
  return tree;
}

interface Copying {
  tree: TreeWithPlaces;
  sources: SubstitutionSources;
  placeAt(offset: number): Place;
  values: number;
}

/** Where the copying has come to. */
interface Position {
  path: ValuePath;
  /** Of the value, or of the nearest literal around it. */
  place: Place;
  /** The value's text, when it is known. */
  literal?: LiteralNode;
  entry?: Entry;
}

function copy(value: unknown, position: Position, copying: Copying): unknown {
  const { tree, placeAt } = copying;
  const { path, place, literal } = position;
  if (typeof value === 'string' && hasReference(value)) return fill(value, position, copying);
  const isList = Array.isArray(value);
  // Functions and instances of classes are handed on as they are: a policy's schema may want them.
  if (!isList && !isPlain(value)) return value;
  copying.values += 1;
  if (copying.values > maxMaps) return undefined;
  if (path.length > maxDepth || copying.values === maxMaps) {
    const code = copying.values === maxMaps ? 'file_too_large' : 'too_deep';
    const limit = code === 'too_deep' ? `nested deeper than ${maxDepth} levels` : `more than ${maxMaps} maps and lists`;
    tree.problems.push({ code, message: `${limit}: does a value hold itself?`, place, path });
    return undefined;
  }
  const result = (isList ? [] : {}) as Record<string | number, unknown>;
  const entries = new Map<string | number, Entry>();
  tree.entries.set(result, entries);
  const parts = literal?.kind === (isList ? 'list' : 'map') ? literal.parts : undefined;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    const step = isList ? Number(key) : key;
    const part = parts?.get(step);
    const innerPlace = part === undefined ? place : placeAt(part.value.offset);
    const entry: Entry = { key: part === undefined ? place : placeAt(part.key), value: innerPlace };
    entries.set(step, entry);
    const filled = copy(inner, { path: [...path, step], place: innerPlace, literal: part?.value, entry }, copying);
    Object.defineProperty(result, step, { value: filled, writable: true, enumerable: true, configurable: true });
  }
  return result;
}

function fill(text: string, { path, place, entry }: Position, { tree, sources }: Copying): string {
  try {
    const result = substitute(text, sources);
    for (const secret of result.secrets) tree.secrets.add(secret);
    if (entry !== undefined) entry.written = { text, result };
    return result.value;
  } catch (error) {
    if (!(error instanceof SubstitutionError)) throw error;
    tree.problems.push({ code: 'unresolved_reference', message: error.message, place, path });
    return text;
  }
}

/** Gives the places of offsets in a text. */
function placesOf(text: string): (offset: number) => Place {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  return (offset) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  // Modules run by the loader may come from another realm, whose Object is not ours.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
