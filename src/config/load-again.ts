/** Loads a text by what is known of the one before it: routes that stood there in the same words are not read again. */
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import type { z } from 'zod';
import { inSlices, nextTurn, type Steps } from '../base/slices.ts';
import { schemasFor } from './built-schemas.ts';
import { checkAll } from './check-all.ts';
import { createFindings } from './findings.ts';
import { type ConfigText, configOf, type Former, type Loaded, type LoadOptions, readerOf } from './load.ts';
import type { GatewayConfig, ServiceConfig } from './model.ts';
import { parseTree } from './parse-tree.ts';
import { noPolicies, type PolicySchemas } from './policy-schemas.ts';
import { maxEvents, quickSteps } from './quick-yaml.ts';
import type { GatewaySchema } from './schema.ts';
import { type ShortText, shortenText } from './short-text.ts';
import { readReferenced } from './source-file.ts';
import { parsePath, type SourceTree } from './source-tree.ts';
import { referencedFiles } from './substitution.ts';
import { policyFilePaths, putTlsContents, readTlsFiles, type TlsContents } from './tls-files.ts';
import { type ReadShort, readShort, wholeLines, wholeTree } from './whole-tree.ts';

/** Characters of a short text that are read where requests are served, in some ten milliseconds. */
const SHORT = 64 * 1024;

type Parsed = z.output<GatewaySchema>;

/** A former load that was sound, and whose routes can be found in its text. */
type Sound = { readonly [Key in keyof Former]: NonNullable<Former[Key]> };

/** A short text with what it says. */
interface Read extends ReadShort {
  readonly tree: SourceTree;
  /** Of routes those only that stand in the short text. */
  readonly value: Parsed;
  /** Where relative names begin. */
  readonly directory: string;
  readonly contents: TlsContents;
  readonly files: string[];
}

/**
 * What `loadConfigText` would find, with the very objects of the former configuration for routes and services that are as
 * they were. Null where that cannot be known so: for whatever has an error, is unusual or has too much that is new, and where
 * anything beside routes and services is not what it was. A former route is taken over where its service is, too.
 */
export async function loadAgain(
  source: ConfigText,
  file: string,
  options: LoadOptions,
  former: Former,
): Promise<Loaded | null> {
  if (!isSound(former) || source.format !== 'yaml' || former.source.format !== 'yaml') return null;
  await nextTurn();
  const usable = await inSlices(usableRoutes(former));
  const { routes, services } = former.config;
  const text = { text: former.source.text, lines: former.routeLines };
  // Twice, since only the first time tells which services are as they were.
  for (let time = 0; time < 2; time++) {
    const short = await inSlices(shortenText(source.text, text, (index) => usable[index] === 1));
    if (short.runs.length === 0 || short.text.length > SHORT) return null;
    await nextTurn();
    const read = await readAll(short, file, options, former);
    if (read === null || !isSameBeside(read.value, former.config)) return null;
    await nextTurn();
    const kept = await inSlices(keptServices(read.value.services as ServiceConfig[], services));
    let misfits = 0;
    for (const [index, { service }] of routes.entries()) {
      if (usable[index] === 0 || service === undefined || kept.has(service)) continue;
      usable[index] = 0;
      misfits += 1;
    }
    if (misfits === 0) return inSlices(finish(source, file, options, former, read, kept));
  }
  return null;
}

function isSound(former: Former): former is Sound {
  const { config, source, routeLines } = former;
  return config !== null && source !== null && routeLines?.starts.length === config.routes.length;
}

/** 1 for each route whose words say all of it, and of which there was nothing to be said. */
function* usableRoutes({ config, source, findings, routeLines }: Sound): Steps<Uint8Array> {
  const usable = new Uint8Array(config.routes.length).fill(1);
  for (const { path } of findings) {
    const [section, index] = parsePath(path);
    if (section === 'routes' && typeof index === 'number') usable[index] = 0;
  }
  for (const [index, { quarantined }] of config.routes.entries()) if (quarantined !== undefined) usable[index] = 0;
  yield;
  // What the file holds may be other words now.
  for (const [section, index] of policyFilePaths(config)) {
    if (section === 'routes') usable[index as number] = 0;
  }
  yield;
  const { starts } = routeLines;
  let route = 0;
  for (let at = source.text.indexOf('${'); at >= 0; at = source.text.indexOf('${', at + 2)) {
    while (route < starts.length && starts[route] <= at) route += 1;
    if (route > 0) usable[route - 1] = 0;
  }
  return usable;
}

/** Null where the text is not what it seemed, or anything is wrong with it. */
async function readAll(short: ShortText, file: string, options: LoadOptions, former: Sound): Promise<Read | null> {
  const quick = await inSlices(quickSteps(short.text));
  const shape = quick === null ? null : readShort(short, quick.routeLines, former.routeLines.indent);
  if (quick === null || shape === null) return null;
  if (shape.lines.events + former.routeLines.events > maxEvents) return null;
  const { env = {}, policies = noPolicies } = options;
  const read = readerOf(options);
  const path = resolve(file);
  const directory = dirname(path);
  const wanted = quick.references.flatMap((value) => referencedFiles(value, directory));
  const files = await readReferenced(wanted, read);
  const tree = quick.tree({ env, files, directory });
  if (tree.problems.length > 0) return null;
  await nextTurn();
  const { routes, ...rest } = tree.root as Record<string, unknown> & { routes: unknown[] };
  const fresh = shape.origins.flatMap((of) => ('short' in of ? [routes[of.short]] : []));
  const root = { ...rest, routes: fresh };
  const value = await inSlices(parseInParts({ ...tree, root }, policies));
  if (value === null) return null;
  const contents = await readTlsFiles(root, directory, read);
  putTlsContents(value, root, directory, contents);
  return { ...shape, tree, value, directory, contents, files: [path, ...files.keys(), ...contents.keys()] };
}

/** Items that are validated in one go, beside the rest of the file. */
const PART = 16;

/** What the schema makes of a tree, some services and some routes at a time; null where anything is wrong. */
function* parseInParts(tree: SourceTree, policies: PolicySchemas): Steps<Parsed | null> {
  const { whole, partial } = schemasFor(policies);
  const { services = [], routes = [], ...rest } = tree.root as Record<string, unknown>;
  if (!Array.isArray(services) || !Array.isArray(routes)) return null;
  let all: Parsed | null = null;
  // First the rest alone: what is validated for the first time in a process is slow.
  const parts = [{ services: [], routes: [] }, ...partsOf('services', services), ...partsOf('routes', routes)];
  for (const part of parts) {
    yield;
    const root = { ...rest, services: [], routes: [], ...part };
    const { value } = parseTree<Parsed>({ ...tree, root }, whole, partial, []);
    if (value === undefined) return null;
    if (all === null) all = value;
    else {
      all.services.push(...value.services);
      all.routes.push(...value.routes);
    }
  }
  return all;
}

function partsOf(list: 'services' | 'routes', items: readonly unknown[]): Record<string, unknown[]>[] {
  const count = Math.ceil(items.length / PART);
  return Array.from({ length: count }, (_, index) => ({ [list]: items.slice(index * PART, (index + 1) * PART) }));
}

/** True where all but routes and services is what it was. */
function isSameBeside(value: Parsed, former: GatewayConfig): boolean {
  const { routes: _, services: __, ...rest } = configOf(value);
  const { routes: ___, services: ____, ...formerRest } = former;
  return isDeepStrictEqual(rest, formerRest);
}

/** The former services that are there and as they were, by name. */
function* keptServices(
  services: readonly ServiceConfig[],
  former: readonly ServiceConfig[],
): Steps<Map<string, ServiceConfig>> {
  const before = new Map(former.map((service) => [service.name, service]));
  const kept = new Map<string, ServiceConfig>();
  for (const service of services) {
    yield;
    const same = before.get(service.name);
    if (same !== undefined && isDeepStrictEqual(service, same)) kept.set(service.name, same);
  }
  return kept;
}

/**
 * What may live through many generations: strings that were read are slices of the short text, and would keep it as long.
 * Whatever comes from a thread is a copy, too.
 */
function copyOf<T>(item: T): T {
  return deserialize(serialize(item));
}

function* finish(
  source: ConfigText,
  file: string,
  { name = file, policies = noPolicies, now = Date.now }: LoadOptions,
  former: Sound,
  read: Read,
  kept: ReadonlyMap<string, ServiceConfig>,
): Steps<Loaded | null> {
  const { origins, value, directory, contents, lines } = read;
  const tree = wholeTree(read.tree, read, former.config.routes);
  let fresh = 0;
  const routes = origins.map((of) => ('former' in of ? former.config.routes[of.former] : value.routes[fresh++]));
  const sound = { ...value, routes };
  const findings = createFindings(name, tree);
  const isKnown = (route: number): boolean => 'former' in origins[route];
  yield;
  yield* checkAll({
    tree,
    sound,
    policies,
    originOf: (path) => path,
    findings,
    directory,
    contents,
    now: now(),
    isKnown,
  });
  // What is wrong may concern routes that were not looked at.
  if (findings.hasErrors()) return null;
  yield;
  const { services, routes: _, ...rest } = configOf(sound);
  return {
    config: {
      ...rest,
      services: services.map((service) => kept.get(service.name) ?? copyOf(service)),
      routes: routes.map((route, index) => (isKnown(index) ? route : copyOf(route))),
    },
    quarantined: [],
    findings: findings.all(),
    adminAddress: value.admin === false ? null : value.admin.address,
    files: [...new Set(read.files)],
    secrets: tree.secrets,
    source,
    routeLines: wholeLines(read, lines.events + former.routeLines.events),
  };
}
