/** Where passwords are checked: by one thread, in a bounded queue, with the verdicts remembered; outlives reloads. */
import { createHmac, randomBytes } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../base/clock.ts';
import { ExpiringMap } from '../../base/expiring-map.ts';
import { siteOf } from '../../base/ip.ts';
import type { Logger } from '../../base/logger.ts';
import { programBeside } from '../../base/program.ts';
import type { PasswordQuestion } from './password-thread.ts';

/** `busy`: nothing is known, since too many are waiting or the thread failed. */
export type Verdict = 'right' | 'wrong' | 'busy';

/** Verdicts remembered of each kind. Wrong ones have a place of their own: anybody can make up any number of them. */
const REMEMBERED = 10_000;

/** Milliseconds. A verdict on a hash never changes: the end is for what somebody might read in this memory. */
const RIGHT_FOR = 300_000;
const WRONG_FOR = 60_000;

/** Passwords that may wait, and those of one client among them: who guesses leaves room for others. */
export const MAX_WAITING = 64;
export const MAX_WAITING_OF_ONE = 8;

/** Milliseconds after which nobody waits any more for a turn. */
export const PATIENCE = 5_000;

const PROGRAM = programBeside(import.meta.url, 'password-thread');

/** The thread as the desk has it. */
export interface PasswordThread {
  ask(question: PasswordQuestion): void;
  close(): void;
}

/** Begins a thread; `onFailure` is heard at most once, after which it answers no more. */
export type StartThread = (onAnswer: (isRight: boolean) => void, onFailure: (error: Error) => void) => PasswordThread;

interface Job extends PasswordQuestion {
  readonly digest: string;
  /** Of the client. */
  readonly site: string;
  /** When it came. */
  readonly since: number;
  readonly settle: (verdict: Verdict) => void;
}

export class PasswordDesk {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly startThread: StartThread;
  /** Of this process only: what is remembered is of no use elsewhere. */
  private readonly key = randomBytes(32);
  private readonly right = new ExpiringMap<Verdict>(REMEMBERED);
  private readonly wrong = new ExpiringMap<Verdict>(REMEMBERED);
  private readonly pending = new Map<string, Promise<Verdict>>();
  private readonly waiting: Job[] = [];
  private current: Job | null = null;
  private thread: PasswordThread | null = null;

  constructor(clock: Clock, logger: Logger, startThread: StartThread = startPasswordThread) {
    this.clock = clock;
    this.logger = logger;
    this.startThread = startThread;
  }

  /**
   * Whether `password` is that of `hash`; at once where it is remembered or nobody can be asked. `name` keeps the verdicts of
   * one user apart from those of another one of the same hash, and `client` is the address that asks.
   */
  verify(name: string, password: string, hash: string, client: string): Verdict | Promise<Verdict> {
    const digest = createHmac('sha256', this.key)
      .update(JSON.stringify([name, password, hash]))
      .digest('base64');
    const now = this.clock.now();
    const known = this.right.get(digest, now) ?? this.wrong.get(digest, now) ?? this.pending.get(digest);
    if (known !== undefined) return known;
    const site = siteOf(client);
    if (!this.hasRoom(site)) return 'busy';
    const asked = new Promise<Verdict>((settle) => {
      this.waiting.push({ digest, password, hash, site, since: now, settle });
    });
    this.pending.set(digest, asked);
    this.next();
    return asked;
  }

  /** A number below `count`, always the same for a name, which nobody can foretell. */
  choice(name: string, count: number): number {
    return createHmac('sha256', this.key).update(name).digest().readUInt32BE() % count;
  }

  private hasRoom(site: string): boolean {
    if (this.waiting.length >= MAX_WAITING) return false;
    let own = 0;
    for (const job of this.waiting) if (job.site === site) own++;
    return own < MAX_WAITING_OF_ONE;
  }

  private next(): void {
    while (this.current === null) {
      const job = this.waiting.shift();
      if (job === undefined) return;
      if (this.clock.now() - job.since > PATIENCE) {
        this.settle(job, 'busy');
        continue;
      }
      this.current = job;
      this.thread ??= this.startThread(
        (isRight) => this.onAnswer(isRight),
        (error) => this.onFailure(error),
      );
      this.thread.ask({ hash: job.hash, password: job.password });
    }
  }

  private onAnswer(isRight: boolean): void {
    const job = this.current;
    if (job === null) return;
    this.current = null;
    const now = this.clock.now();
    if (isRight) this.right.set(job.digest, 'right', now + RIGHT_FOR);
    else this.wrong.set(job.digest, 'wrong', now + WRONG_FOR);
    this.settle(job, isRight ? 'right' : 'wrong');
    this.next();
  }

  /** The next password has a thread of its own: what ended this one may have been this password. */
  private onFailure(error: Error): void {
    this.thread = null;
    this.logger.error('the thread that checks passwords failed', { error });
    const job = this.current;
    this.current = null;
    if (job !== null) this.settle(job, 'busy');
    this.next();
  }

  private settle(job: Job, verdict: Verdict): void {
    this.pending.delete(job.digest);
    job.settle(verdict);
  }

  close(): void {
    this.thread?.close();
    this.thread = null;
    const left = this.current === null ? this.waiting.splice(0) : [this.current, ...this.waiting.splice(0)];
    this.current = null;
    for (const job of left) this.settle(job, 'busy');
    this.right.clear();
    this.wrong.clear();
  }
}

/** A thread that keeps no process alive. */
export const startPasswordThread: StartThread = (onAnswer, onFailure) => {
  const worker = new Worker(PROGRAM.url, { execArgv: [...PROGRAM.execArgv] });
  let isOver = false;
  const fail = (error: Error): void => {
    if (isOver) return;
    isOver = true;
    void worker.terminate();
    onFailure(error);
  };
  worker.unref();
  worker.on('message', onAnswer);
  worker.on('error', fail);
  worker.on('exit', (code) => fail(new Error(`it ended with ${code}`)));
  return {
    ask: (question) => worker.postMessage(question),
    close: () => {
      isOver = true;
      void worker.terminate();
    },
  };
};
