/** Values from the environment and from files, put into strings of the configuration; what is missing is an error. */
import { resolve } from 'node:path';

/** A piece of a string value: literal text, or a reference as it was written. */
type Piece = { text: string } | { reference: string; kind: 'env' | 'file'; name: string; fallback?: string };

/** Where referenced values come from. */
export interface SubstitutionSources {
  env: Readonly<Record<string, string | undefined>>;
  /** Contents of the referenced files by absolute path, or why one could not be read. */
  files: ReadonlyMap<string, string | SubstitutionError>;
  /** Directory from which relative file references start. */
  directory: string;
}

export interface Substituted {
  value: string;
  /** Values that came from outside, which no message may show. */
  secrets: string[];
  /** True when the whole string was one reference, so that it may stand for a number or a boolean. */
  whole: boolean;
}

/** Why a reference has no value. The message names the reference, never a value. */
export class SubstitutionError extends Error {
  override readonly name = 'SubstitutionError';
}

/** True when the text may hold a reference or an escape. */
export function hasReference(text: string): boolean {
  return text.includes('${');
}

/** The absolute paths of the files that a text refers to; malformed references are left to `substitute`. */
export function referencedFiles(text: string, directory: string): string[] {
  try {
    return split(text).flatMap((piece) =>
      'kind' in piece && piece.kind === 'file' ? [resolve(directory, piece.name)] : [],
    );
  } catch {
    return [];
  }
}

/** Replaces every reference in `text`; `$${` stands for `${`. Throws `SubstitutionError`. */
export function substitute(text: string, sources: SubstitutionSources): Substituted {
  const pieces = split(text);
  const secrets: string[] = [];
  let value = '';
  for (const piece of pieces) {
    if ('text' in piece) {
      value += piece.text;
      continue;
    }
    const found = piece.kind === 'env' ? fromEnvironment(piece, sources) : fromFile(piece, sources);
    if (found !== '') secrets.push(found);
    value += found;
  }
  return { value, secrets, whole: pieces.length === 1 && 'kind' in pieces[0] };
}

type Reference = Exclude<Piece, { text: string }>;

function fromEnvironment(piece: Reference, sources: SubstitutionSources): string {
  const found = Object.hasOwn(sources.env, piece.name) ? sources.env[piece.name] : undefined;
  if (found !== undefined && found !== '') return found;
  if (piece.fallback !== undefined) return piece.fallback;
  const state = found === undefined ? 'is not set' : 'is empty';
  throw new SubstitutionError(
    `the environment variable ${piece.name} ${state} and \`${piece.reference}\` has no default`,
  );
}

function fromFile(piece: Reference, sources: SubstitutionSources): string {
  const content = sources.files.get(resolve(sources.directory, piece.name));
  if (content === undefined) throw new SubstitutionError(`the file of \`${piece.reference}\` was not read`);
  if (content instanceof SubstitutionError) throw content;
  // Files of secrets end in a line break that is no part of the secret.
  const value = content.replace(/(\r?\n)+$/, '');
  if (value === '') throw new SubstitutionError(`the file of \`${piece.reference}\` is empty`);
  return value;
}

function split(text: string): Piece[] {
  const pieces: Piece[] = [];
  let literal = '';
  let index = 0;
  while (index < text.length) {
    const at = text.indexOf('${', index);
    if (at === -1) break;
    if (at > index && text[at - 1] === '$') {
      literal += `${text.slice(index, at - 1)}\${`;
      index = at + 2;
      continue;
    }
    literal += text.slice(index, at);
    const end = text.indexOf('}', at);
    if (end === -1) throw new SubstitutionError('has a `${` that is never closed: write `$${` for a literal one');
    if (literal !== '') pieces.push({ text: literal });
    literal = '';
    pieces.push(parseReference(text.slice(at, end + 1)));
    index = end + 1;
  }
  literal += text.slice(index);
  if (literal !== '' || pieces.length === 0) pieces.push({ text: literal });
  return pieces;
}

function parseReference(reference: string): Reference {
  const inner = reference.slice(2, -1);
  const env = /^env\.([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inner);
  if (env !== null) return { reference, kind: 'env', name: env[1], fallback: env[2] };
  if (inner.startsWith('file:') && inner.length > 5) return { reference, kind: 'file', name: inner.slice(5) };
  throw new SubstitutionError(
    `has the unknown reference \`${reference}\`: write \${env.NAME}, \${env.NAME:-default} or \${file:/path}, and $\${ for a literal \${`,
  );
}
