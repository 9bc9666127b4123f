/** Begins the thread that will load a large configuration before anything else of the process is read: they are read side by side. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { findConfigFile } from '../config/find-file.ts';
import { beginAhead, SMALL } from '../gateway/loader/waiting-thread.ts';

/**
 * For the arguments of a command line that has not been looked at: whatever is odd in it is left to those who have the words
 * for it. What is guessed wrongly costs a thread that nobody asks.
 */
export function headStart(args: readonly string[], directory = process.cwd()): void {
  if (args[0] !== 'start') return;
  try {
    const named = namedFile(args);
    const file = named === null ? findConfigFile(directory) : resolve(directory, named);
    if (file === null || !/\.(?:ya?ml|json)$/.test(file)) return;
    const stat = statSync(file);
    if (stat.isFile() && stat.size > SMALL) beginAhead();
  } catch {
    // Loading it will tell.
  }
}

/** What `-c` or `--config` names, in each way in which it may be written. */
function namedFile(args: readonly string[]): string | null {
  for (const [index, arg] of args.entries()) {
    if (arg === '-c' || arg === '--config') return args[index + 1] ?? null;
    if (arg.startsWith('--config=')) return arg.slice('--config='.length);
    if (/^-c./.test(arg)) return arg.slice(2);
  }
  return null;
}
