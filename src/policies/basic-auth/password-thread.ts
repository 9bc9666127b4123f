/** The program of the thread that checks passwords, one after another: what costs a tenth of a second keeps no request waiting. */
import { getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { isPasswordOf, parsePasswordHash } from './password-hash.ts';

/** What is to be checked. */
export interface PasswordQuestion {
  readonly hash: string;
  readonly password: string;
}

/** Below the threads that serve requests. */
const NICE = 10;

if (parentPort !== null) {
  const port = parentPort;
  // Only on Linux is it this thread's alone; elsewhere it would be the gateway's.
  if (process.platform === 'linux') setPriority(Math.max(NICE, getPriority()));
  port.on('message', ({ hash, password }: PasswordQuestion) => {
    port.postMessage(isPasswordOf(parsePasswordHash(hash), password));
  });
}
