/** The program of the thread that makes one edit of a large configuration and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import type { ConfigText } from '../config/load.ts';
import type { ValuePath } from '../config/source-tree.ts';
import { withValue } from './config-document.ts';

/** What the thread is to do: what `withValue` takes. */
export interface EditOrder {
  readonly source: ConfigText;
  readonly path: ValuePath;
  readonly value: unknown;
}

if (parentPort !== null) {
  const { source, path, value } = workerData as EditOrder;
  parentPort.postMessage(withValue(source, path, value));
}
