/** Keys in a file of SQLite, behind a thread that waits for the disk. */
import { access } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { programBeside } from '../../base/program.ts';
import type { ApiKey } from './api-key.ts';
import type { KeyAction, KeyOutcome, KeyPage, KeyQuery, KeyStore } from './key-store.ts';
import type { SqliteAnswer, SqliteQuestion } from './sqlite-thread.ts';

const PROGRAM = programBeside(import.meta.url, 'sqlite-thread');

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Makes the file, and the thread, when the first key is created: until then there is nothing to be found. */
export class SqliteKeyStore implements KeyStore {
  private readonly path: string;
  private thread: Worker | null = null;
  private isThere = false;
  private closed = false;
  private nextId = 1;
  private readonly pending = new Map<number, Pending>();
  private readonly listeners: ((id: string | null) => void)[] = [];

  constructor(path: string) {
    this.path = path;
  }

  async create(key: ApiKey): Promise<void> {
    await this.ask('create', key);
    this.tell(key.id);
  }

  async get(id: string): Promise<ApiKey | null> {
    return (await this.exists()) ? this.ask<ApiKey | null>('get', id) : null;
  }

  async list(query: KeyQuery): Promise<KeyPage> {
    return (await this.exists()) ? this.ask<KeyPage>('list', query) : { keys: [], next: null };
  }

  async act(id: string, action: KeyAction): Promise<KeyOutcome> {
    if (!(await this.exists())) return { outcome: 'unknown' };
    const outcome = await this.ask<KeyOutcome>('act', id, action);
    if (outcome.outcome === 'done') {
      this.tell(id);
      if (outcome.key.id !== id) this.tell(outcome.key.id);
    }
    return outcome;
  }

  async touch(uses: ReadonlyMap<string, number>): Promise<void> {
    if (await this.exists()) await this.ask('touch', uses);
  }

  onChange(listener: (id: string | null) => void): void {
    this.listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.closed) return;
    if (this.thread !== null) await this.ask('close').catch(() => {});
    this.closed = true;
  }

  private tell(id: string): void {
    for (const listener of this.listeners) listener(id);
  }

  /** Another process may make it at any time; once there, it stays. */
  private async exists(): Promise<boolean> {
    if (this.isThere) return true;
    try {
      await access(this.path);
      this.isThere = true;
    } catch (error) {
      // Of a file that may not be looked at nobody knows whether it is there.
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') throw error;
    }
    return this.isThere;
  }

  private ask<T>(method: SqliteQuestion['method'], ...values: unknown[]): Promise<T> {
    if (this.closed) return Promise.reject(new Error('the key store is closed'));
    const id = this.nextId++;
    const thread = this.thread ?? this.begin();
    return new Promise<T>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      // While an answer is to come the process must not end.
      thread.ref();
      thread.postMessage({ id, method, values } satisfies SqliteQuestion);
    });
  }

  private begin(): Worker {
    const thread = new Worker(PROGRAM.url, {
      workerData: { path: this.path },
      // What SQLite's state of development is in this runtime is nothing that operators can do something about.
      execArgv: [...PROGRAM.execArgv, '--disable-warning=ExperimentalWarning'],
    });
    thread.on('message', (answer: SqliteAnswer) => this.onAnswer(thread, answer));
    thread.on('error', (error) => this.onEnd(thread, error));
    thread.on('exit', () => this.onEnd(thread, new Error('the thread of the key store ended')));
    this.thread = thread;
    return thread;
  }

  private onAnswer(thread: Worker, { id, value, error }: SqliteAnswer): void {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    if (this.pending.size === 0) thread.unref();
    if (error === null) pending?.resolve(value);
    else pending?.reject(new Error(`${this.path}: ${error}`));
  }

  /** The next question begins another one. */
  private onEnd(thread: Worker, error: Error): void {
    if (this.thread !== thread) return;
    this.thread = null;
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}
