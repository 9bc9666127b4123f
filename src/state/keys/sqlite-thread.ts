/** The program of the thread that keeps keys in SQLite: it waits for the disk, so that no request has to. */
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteKeys } from './sqlite-keys.ts';

/** A question to the thread: a method of `SqliteKeys` and what it is given. */
export interface SqliteQuestion {
  readonly id: number;
  readonly method: 'create' | 'get' | 'list' | 'act' | 'touch' | 'close';
  readonly values: readonly unknown[];
}

export interface SqliteAnswer {
  readonly id: number;
  readonly value: unknown;
  readonly error: string | null;
}

if (parentPort !== null) {
  const port = parentPort;
  const { path } = workerData as { path: string };
  let keys: SqliteKeys | null = null;
  port.on('message', ({ id, method, values }: SqliteQuestion) => {
    let value: unknown = null;
    let error: string | null = null;
    try {
      // A file that cannot be opened now may be mended by the next time.
      if (method !== 'close') keys ??= new SqliteKeys(path);
      value = (keys?.[method] as ((...values: readonly unknown[]) => unknown) | undefined)?.apply(keys, [...values]);
    } catch (fault) {
      error = (fault as Error).message;
    }
    port.postMessage({ id, value, error } satisfies SqliteAnswer);
    if (method === 'close') port.close();
  });
}
