/** The program of the thread that makes one edit of a configuration and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { withValue } from './config-document.ts';
import type { EditOrder } from './text-editor.ts';

if (parentPort !== null) {
  const { source, path, value } = workerData as EditOrder;
  parentPort.postMessage(withValue(source, path, value));
}
