/** The program of a worker process: joins a worker to the channel of its supervisor. */
import { createLogger } from '../../observability/logger.ts';
import type { FromWorker, ToWorker, WorkerStart } from './protocol.ts';
import { Worker } from './worker.ts';

// Signals reach the whole group of a terminal; what they mean for a worker is for the supervisor to say.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});

const worker = new Worker({
  start: JSON.parse(process.argv[2]) as WorkerStart,
  logger: createLogger({ level: 'info' }),
  send: (message: FromWorker) => {
    // With a callback, since a supervisor that has just ended is no fault of this process.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  },
  end: () => {
    process.removeAllListeners('disconnect');
    if (process.connected) process.disconnect();
    // The log's last lines are on their way; nothing else may keep the process.
    setTimeout(() => process.exit(0), 100).unref();
  },
});
process.on('message', (message: ToWorker, handle: unknown) => worker.onMessage(message, handle));
process.on('disconnect', () => void worker.orphaned());
