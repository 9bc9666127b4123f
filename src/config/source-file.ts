/** Reads the files of a configuration whole, bounded, and says in words why one cannot be read. */
import { isAscii, isUtf8 } from 'node:buffer';
import { open, stat } from 'node:fs/promises';
import { nextTurn } from '../base/slices.ts';
import type { FindingCode } from './finding.ts';
import { PIPE_PATIENCE, readPipe, SILENT_PIPE } from './pipe.ts';
import { fileStart, type Place } from './source-tree.ts';
import { SubstitutionError } from './substitution.ts';

/** Largest configuration file, in bytes: ten thousand routes take about three million. */
export const maxFileSize = 16 * 1024 * 1024;
const maxReferencedSize = 1024 * 1024;

/** Bytes that are read at once where nobody knows how many there are, and characters that are decoded at once. */
const PORTION = 256 * 1024;

/** Reads a whole file; rejects with the system's error code, as `fs.readFile` does. */
export type FileReader = (path: string) => Promise<Uint8Array>;

/** Why a file gave no text. */
export interface FileProblem {
  code: FindingCode;
  message: string;
  place: Place;
}

/** Reads a file or a pipe to its end; rejects with `EFBIG` beyond the bound, and with `SILENT_PIPE` where nobody writes to a pipe. */
export const readWhole: FileReader = (path) => read(path, false);

/** As `readWhole`, for a process that has more to do: it may end while a pipe is waited for. */
export const readInBackground: FileReader = (path) => read(path, true);

async function read(path: string, inBackground: boolean): Promise<Uint8Array> {
  if ((await stat(path)).isFIFO()) return readPipe(path, { most: maxFileSize, inBackground });
  const file = await open(path);
  try {
    // Not `readFile`: a device has no size to ask for beforehand. One byte more shows the end of one that has.
    const { size } = await file.stat();
    let bytes = Buffer.allocUnsafeSlow(Math.min(size > 0 ? size + 1 : PORTION, maxFileSize + 1));
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null);
      if (bytesRead === 0) return bytes.subarray(0, length);
      length += bytesRead;
      if (length > maxFileSize) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
      if (length < bytes.length) continue;
      const larger = Buffer.allocUnsafeSlow(Math.min(length * 2, maxFileSize + 1));
      bytes.copy(larger);
      bytes = larger;
    }
  } finally {
    await file.close();
  }
}

/** The text of a file without its byte order mark. */
export async function readText(path: string, read: FileReader): Promise<string | FileProblem> {
  let bytes: Uint8Array;
  try {
    bytes = await read(path);
  } catch (error) {
    return { code: 'unreadable_file', message: `the file ${reasonOf(error)}`, place: fileStart };
  }
  if (bytes.length > maxFileSize) {
    return { code: 'unreadable_file', message: `the file ${reasons.EFBIG}`, place: fileStart };
  }
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { code: 'not_utf8', message: 'the file is in UTF-16: save it as UTF-8', place: fileStart };
  }
  if (!isUtf8(bytes)) {
    const message = 'the file is not UTF-8: a broken character stands here';
    return { code: 'not_utf8', message, place: placeOfFault(bytes) };
  }
  return decode(bytes);
}

/** The text of sound UTF-8; that of a large file is made while requests are served. */
async function decode(bytes: Uint8Array): Promise<string> {
  if (isAscii(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  // It drops a byte order mark.
  const decoder = new TextDecoder();
  let text = '';
  for (let at = 0; at < bytes.length; at += PORTION) {
    if (at > 0) await nextTurn();
    text += decoder.decode(bytes.subarray(at, at + PORTION), { stream: true });
  }
  return text + decoder.decode();
}

/** Bytes among which the first that is wrong is looked for one by one: no character is as long. */
const FEW = 8;

/** Where the first character stands that is not UTF-8; in some ten milliseconds, since requests may have to wait for it. */
function placeOfFault(bytes: Uint8Array): Place {
  let sound = 0;
  let end = bytes.length;
  // What stands before `sound` are whole characters, and what is wrong begins before `end`.
  while (end - sound > FEW) {
    const middle = startOfCharacter(bytes, (sound + end) >> 1);
    if (isUtf8(bytes.subarray(sound, middle))) sound = middle;
    else end = middle;
  }
  for (let at = end; at > sound; at--) if (isUtf8(bytes.subarray(sound, at))) sound = at;
  let line = 1;
  let lineStart = 0;
  for (let at = bytes.indexOf(10); at >= 0 && at < sound; at = bytes.indexOf(10, lineStart)) {
    line += 1;
    lineStart = at + 1;
  }
  // Only that at the start of the file is no character of it.
  const before = new TextDecoder('utf-8', { ignoreBOM: lineStart > 0 }).decode(bytes.subarray(lineStart, sound));
  return { line, column: before.length + 1 };
}

/** Where the character begins to which this byte may belong: it itself, where more than three follow no first one (RFC 3629 section 3). */
function startOfCharacter(bytes: Uint8Array, offset: number): number {
  for (let at = offset; at >= offset - 3; at--) if ((bytes[at] & 0xc0) !== 0x80) return at;
  return offset;
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a directory',
  EACCES: 'may not be read: permission denied',
  EPERM: 'may not be read: permission denied',
  ENOTDIR: 'does not exist: a part of its path is no directory',
  ELOOP: 'cannot be reached: its symbolic links go round in a circle',
  [SILENT_PIPE]: `is a pipe to which nobody wrote anything for ${PIPE_PATIENCE / 1000} s`,
  EFBIG: `is larger than ${maxFileSize / 1024 / 1024} MiB`,
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code ?? '';
  return reasons[code] ?? `cannot be read (${code || 'unknown reason'})`;
}

/** Contents of files that references name, by path; a fault of one is kept for the place that names it. */
export async function readReferenced(
  paths: string[],
  read: FileReader,
): Promise<Map<string, string | SubstitutionError>> {
  const unique = [...new Set(paths)];
  const contents = await Promise.all(unique.map((path) => readSecret(path, read)));
  return new Map(unique.map((path, index) => [path, contents[index]]));
}

async function readSecret(path: string, read: FileReader): Promise<string | SubstitutionError> {
  try {
    const bytes = await read(path);
    if (bytes.length > maxReferencedSize) {
      return new SubstitutionError(`the referenced file ${path} is larger than 1 MiB`);
    }
    if (!isUtf8(bytes)) return new SubstitutionError(`the referenced file ${path} is not UTF-8`);
    return new TextDecoder().decode(bytes);
  } catch (error) {
    return new SubstitutionError(`the referenced file ${path} ${reasonOf(error)}`);
  }
}
