/** Loaded into a process under measurement: collects garbage on SIGWINCH and writes the heap's size to a file of its own. */
import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

if (isMainThread && process.env.HEAP_PROBE !== undefined) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  process.on('SIGWINCH', () => {
    collect();
    collect();
    const { heapUsed, external } = process.memoryUsage();
    appendFileSync(process.env.HEAP_PROBE, `${process.pid} ${heapUsed + external}\n`);
  });
}
