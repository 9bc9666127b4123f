/** Where what is deployed stands, and how its files are read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const DEPLOY = join(ROOT, 'deploy');
export const CHART = join(DEPLOY, 'helm', 'portico');
export const MANIFESTS = join(DEPLOY, 'kubernetes');

/** With every peer at hand nothing may be skipped. */
export const REQUIRED = process.env.REQUIRE_SERVICES === '1';

// What a manifest may hold is Kubernetes' business: its schema is asked elsewhere.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Manifest = any;

/** Every document of a text; throws for what is no YAML, duplicate keys included. */
export function documentsOf(text: string): Manifest[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) throw problem;
    const value = document.toJS();
    return value === null ? [] : [value];
  });
}

export function manifestFiles(): string[] {
  return readdirSync(MANIFESTS).filter((name) => name.endsWith('.yaml'));
}

/** The plain manifests, with the example of the Secret, without the list of them. */
export function plainManifests(): Manifest[] {
  return manifestFiles()
    .filter((name) => name !== 'kustomization.yaml')
    .flatMap((name) => documentsOf(readFileSync(join(MANIFESTS, name), 'utf8')));
}

export function packageVersion(): string {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version as string;
}
