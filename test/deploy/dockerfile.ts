/** Reads a Dockerfile, and carries out its steps in plain folders: as much of a build as can be had without containers. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lchownSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

export interface Instruction {
  readonly word: string;
  /** What stands behind the word, on one line. */
  readonly rest: string;
}

export interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

export interface Image {
  /** The folder that stands for `/`. */
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** The stages of a Dockerfile. Arguments before the first stage stand for their defaults in `FROM`. */
export function readDockerfile(text: string): Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const defaults = new Map<string, string>();
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  for (const line of lines) {
    const [, word, rest] = /^([A-Z]+)\s+(.*)$/.exec(line.trim()) as RegExpExecArray;
    if (word === 'FROM') {
      const [image, , name = String(stages.length)] = rest.split(/\s+/);
      const base = image.replace(/\$\{(\w+)\}/g, (_, argument) => defaults.get(argument) ?? '');
      stages.push({ name, base, instructions: [] });
    } else if (stages.length === 0) {
      const [name, value] = rest.split('=');
      defaults.set(name, value);
    } else {
      stages[stages.length - 1].instructions.push({ word, rest });
    }
  }
  return stages;
}

/** The words of an instruction in exec form. */
export function execForm(rest: string): string[] {
  return JSON.parse(rest.slice(rest.indexOf('['))) as string[];
}

export function all(stage: Stage, word: string): string[] {
  return stage.instructions.filter((instruction) => instruction.word === word).map(({ rest }) => rest);
}

/** What `.dockerignore` leaves of `files`: the last pattern that fits a path, or a folder of it, decides. */
export function contextOf(files: readonly string[], ignore: string): string[] {
  const patterns = ignore
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ kept: line.startsWith('!'), fits: expressionOf(line.replace(/^!/, '')) }));
  return files.filter((file) => {
    const parts = file.split('/');
    const above = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    return patterns.findLast(({ fits }) => above.some((path) => fits.test(path)))?.kept ?? true;
  });
}

/** Docker's patterns are not a shell's: `*` takes names that begin with a dot too. */
function expressionOf(pattern: string): RegExp {
  const source = pattern.replace(/\*\*\/|\*|\?|[^*?]/g, (piece) => {
    if (piece === '**/') return '(.*/)?';
    if (piece === '*') return '[^/]*';
    return piece === '?' ? '[^/]' : piece.replace(/[\\^$.|+()[\]{}]/, '\\$&');
  });
  return new RegExp(`^${source}$`);
}

/**
 * Carries out every stage below `work` and answers the last one. A base that is no stage is an empty folder, whose programs
 * are this machine's: steps must not name a path of their own root. `instead` may do a step itself, and then answers true.
 */
export function build(
  stages: readonly Stage[],
  context: string,
  work: string,
  instead: (command: string, directory: string) => boolean,
): Image {
  const roots = new Map<string, string>();
  const directories = new Map<string, string>();
  for (const stage of stages) {
    const root = join(work, `stage-${stage.name}`);
    const base = roots.get(stage.base);
    if (base === undefined) mkdirSync(root);
    else cpSync(base, root, { recursive: true, verbatimSymlinks: true });
    roots.set(stage.name, root);
    let directory = directories.get(stage.base) ?? '/';
    for (const { word, rest } of stage.instructions) {
      if (word === 'WORKDIR') {
        directory = rest;
        mkdirSync(join(root, directory), { recursive: true });
      } else if (word === 'COPY') {
        copy(rest, (from) => (from === undefined ? context : (roots.get(from) as string)), root, directory);
      } else if (word === 'RUN') {
        if (/(^|[\s=])\//.test(rest)) throw new Error(`a step outside its folder: ${rest}`);
        const cwd = join(root, directory);
        if (!instead(rest, cwd)) execFileSync('sh', ['-ec', rest], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
      }
    }
    directories.set(stage.name, directory);
  }
  const last = stages[stages.length - 1];
  return {
    root: roots.get(last.name) as string,
    entrypoint: execForm(all(last, 'ENTRYPOINT')[0]),
    command: execForm(all(last, 'CMD')[0]),
    env: Object.fromEntries(all(last, 'ENV').flatMap((rest) => rest.split(' ').map((pair) => pair.split('=')))),
  };
}

function copy(rest: string, rootOf: (stage: string | undefined) => string, root: string, directory: string): void {
  const words = rest.split(/\s+/);
  const flag = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
  const paths = words.filter((word) => !word.startsWith('--'));
  const target = paths.pop() as string;
  const to = join(root, target.startsWith('/') ? target : join(directory, target));
  for (const path of paths) {
    const from = join(rootOf(flag('from')), path);
    if (!existsSync(from)) throw new Error(`COPY: there is no ${path}`);
    // A folder is copied as what is in it, a file into a target that ends in a slash.
    const place = statSync(from).isDirectory() || !target.endsWith('/') ? to : join(to, basename(path));
    mkdirSync(dirname(place), { recursive: true });
    cpSync(from, place, { recursive: true, verbatimSymlinks: true });
  }
  const owner = flag('chown')?.split(':').map(Number);
  if (owner !== undefined && process.getuid?.() === 0) lchownSync(to, owner[0], owner[1]);
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
