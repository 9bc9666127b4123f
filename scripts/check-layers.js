/** Holds the table of layers in ARCHITECTURE.md to the imports of `src`: fails on an upward import, a sibling, or a cycle. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = join(dirname(fileURLToPath(import.meta.url)), '..', 'src');

/** Room, layer, and the rooms of its own layer that it may import. */
const ROOMS = {
  base: { layer: 0, also: [] },
  http: { layer: 1, also: [] },
  net: { layer: 1, also: ['http'] },
  observability: { layer: 1, also: [] },
  config: { layer: 2, also: [], only: ['base'] },
  state: { layer: 2, also: [], only: ['base'] },
  router: { layer: 3, also: [] },
  upstream: { layer: 3, also: [] },
  pipeline: { layer: 3, also: ['router', 'upstream'] },
  policies: { layer: 4, also: [] },
  plugins: { layer: 4, also: [] },
  gateway: { layer: 5, also: [] },
  control: { layer: 6, also: [] },
  admin: { layer: 6, also: ['control'] },
  mesh: { layer: 6, also: [] },
  cli: { layer: 7, also: [] },
  console: { layer: 7, also: [] },
};

const faults = [];
const imports = new Map();

for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
  const file = join(entry.parentPath ?? entry.path, entry.name);
  const name = relative(source, file).split(sep).join('/');
  const room = name.split('/')[0];
  const rules = ROOMS[room];
  if (rules === undefined) {
    faults.push(`${name}: there is no room "${room}" in the table`);
    continue;
  }
  const targets = [];
  const text = readFileSync(file, 'utf8');
  for (const match of text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)) {
    const target = relative(source, join(dirname(file), match[1]))
      .split(sep)
      .join('/');
    if (target.startsWith('..')) continue;
    targets.push(target);
    const other = target.split('/')[0];
    if (name.endsWith('.test.ts') || other === room) {
      if (room !== 'policies' || other !== room || name.split('/')[1] === target.split('/')[1]) continue;
      faults.push(`${name}: a policy imports another policy, ${target}`);
      continue;
    }
    const allowed =
      ROOMS[other] !== undefined &&
      (ROOMS[other].layer < rules.layer || rules.also.includes(other)) &&
      (rules.only === undefined || rules.only.includes(other));
    if (!allowed) faults.push(`${name}: ${room} (layer ${rules.layer}) must not import ${target}`);
  }
  if (!name.endsWith('.test.ts')) imports.set(name, targets);
}

// Cycles between files, types included: two files that need each other are one file or want a third.
const state = new Map();
function visit(name, path) {
  state.set(name, 'open');
  for (const target of imports.get(name) ?? []) {
    if (state.get(target) === 'open')
      faults.push(`cycle: ${[...path.slice(path.indexOf(target)), name, target].join(' -> ')}`);
    else if (!state.has(target)) visit(target, [...path, name]);
  }
  state.set(name, 'done');
}
for (const name of imports.keys()) if (!state.has(name)) visit(name, []);

for (const fault of faults) console.error(fault);
console.log(`layers: ${imports.size} files, ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
