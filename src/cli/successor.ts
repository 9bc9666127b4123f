/**
 * A gateway that takes the place of a running one without losing a connection: the old process starts it, gives it the
 * addresses that it listens on, and drains when it says that it serves. Both sides of that talk stand here.
 */

import type { SendHandle } from 'node:child_process';
import { spawn } from 'node:child_process';
import { OperatorError } from '../base/errors.ts';
import { Inheritance, type InheritedSocket } from '../base/inherited.ts';
import type { TicketLegacy } from '../base/ticket-seed.ts';
import type { Lease } from '../control/endpoint-registry.ts';

/** Set for the process that is to take over. */
const VARIABLE = 'PORTICO_SUCCEEDS';

/** Not every process with a channel: whoever else has one to its parent keeps it. */
const SUCCEEDS = process.env[VARIABLE] === String(process.ppid) && process.send !== undefined;

/** How long the new one may take, in milliseconds. */
const PATIENCE = 60_000;

type SocketNote = Omit<InheritedSocket, 'handle'>;

/** `secret` and `seed` in base64; gateways of earlier versions have none to tell. */
type ToSuccessor =
  | { type: 'socket'; note: SocketNote }
  | { type: 'end'; leases: readonly Lease[]; secret?: string; tickets?: { seed: string; left: number } };
type FromSuccessor = { type: 'ready' } | { type: 'declined'; reason: string };

/** What a gateway leaves to the one that takes its place. */
export interface Legacy {
  readonly sockets: readonly InheritedSocket[];
  /** Endpoints that have registered themselves with it. */
  readonly leases: readonly Lease[];
  /** That of its start: what it signed is good with its successor. */
  readonly secret: Uint8Array;
  /** What TLS session tickets are sealed by: sessions are resumed at its successor. */
  readonly tickets: TicketLegacy;
}

/** What a gateway has from the one whose place it takes. */
export interface Inherited {
  readonly inheritance: Inheritance;
  readonly leases: readonly Lease[];
  readonly secret?: Uint8Array;
  readonly tickets?: TicketLegacy;
}

/** What the process leaves that started this one to take its place; nothing when there is no such process. */
export function inherit(): Promise<Inherited> {
  // Children of this process succeed nobody.
  delete process.env[VARIABLE];
  if (!SUCCEEDS) return Promise.resolve({ inheritance: new Inheritance(), leases: [] });
  const sockets: InheritedSocket[] = [];
  return new Promise((resolve, reject) => {
    process.on('message', (message: ToSuccessor, handle: object | undefined) => {
      if (message.type === 'socket') sockets.push({ ...message.note, handle: handle ?? null });
      else {
        const { leases, secret, tickets } = message;
        resolve({
          inheritance: new Inheritance(sockets),
          leases,
          ...(secret === undefined ? {} : { secret: Buffer.from(secret, 'base64') }),
          ...(tickets === undefined ? {} : { tickets: { ...tickets, seed: Buffer.from(tickets.seed, 'base64') } }),
        });
      }
    });
    process.once('disconnect', () => reject(new OperatorError('the gateway that was to be succeeded is gone')));
  });
}

function base64Of(bytes: Uint8Array): string {
  // Without a copy, which nobody would wipe.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Tells the process whose place this one takes, if there is one, that it may go. */
export function succeed(): void {
  if (!SUCCEEDS || process.send === undefined || !process.connected) return;
  process.removeAllListeners('disconnect');
  process.send({ type: 'ready' } satisfies FromSuccessor, () => process.connected && process.disconnect());
}

/**
 * Tells the process whose place this one was to take, if there is one, why it cannot, and lets go of it: the channel would
 * keep this process from ending. Resolves when it is told.
 */
export function decline(reason: string): Promise<void> {
  if (!SUCCEEDS || !process.connected) return Promise.resolve();
  process.removeAllListeners('disconnect');
  return new Promise((resolve) => {
    process.send?.({ type: 'declined', reason } satisfies FromSuccessor, undefined, undefined, () => {
      if (process.connected) process.disconnect();
      resolve();
    });
  });
}

/**
 * Starts the program on disk as it was started, and leaves it what there is. Rejects with the reason when it does not come
 * to serve, or when `abort` says that it shall not.
 */
export function startSuccessor({ sockets, leases, secret, tickets }: Legacy, abort: AbortSignal): Promise<number> {
  const [program, ...args] = process.argv.slice(1);
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [VARIABLE]: String(process.pid) },
  });
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new OperatorError(reason));
    };
    const timer = setTimeout(() => fail(`the new process did not serve within ${PATIENCE / 1000} s`), PATIENCE);
    let declined: string | null = null;
    const onExit = (code: number | null, signal: string | null): void =>
      fail(declined ?? `the new process ended with ${signal ?? `status ${code}`} before it served`);
    child.once('exit', onExit);
    child.once('error', (error) => fail(error.message));
    const onAbort = (): void => fail('it is not wanted any more');
    abort.addEventListener('abort', onAbort, { once: true });
    child.on('message', (message: FromSuccessor) => {
      // It ends by itself: what it logs until then is not to be lost.
      if (message.type === 'declined') declined = message.reason;
      if (message.type !== 'ready') return;
      clearTimeout(timer);
      child.removeListener('exit', onExit);
      abort.removeEventListener('abort', onAbort);
      child.unref();
      if (child.connected) child.disconnect();
      resolve(child.pid as number);
    });
    const send = (message: ToSuccessor, handle: object | null = null): void => {
      child.send(message, (handle ?? undefined) as SendHandle, {}, (error) => error !== null && fail(error.message));
    };
    for (const { handle, ...note } of sockets) send({ type: 'socket', note }, handle);
    const { seed, left } = tickets;
    send({ type: 'end', leases, secret: base64Of(secret), tickets: { seed: base64Of(seed), left } });
  });
}
