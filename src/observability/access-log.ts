/** One line for each request, put together by hand and written in batches. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { AccessEntry, AccessLine } from './access-entry.ts';
import { createSelectedLine } from './access-fields.ts';
import { createCombinedLine } from './combined-line.ts';
import { openLineWriter } from './line-writer.ts';
import { Redaction } from './redaction.ts';
import { createWholeLine } from './whole-line.ts';

export type { AccessEntry } from './access-entry.ts';

export interface AccessLogOptions {
  /** `stdout`, `stderr` or a path. */
  readonly file: string;
  /** `json` by default. */
  readonly format?: 'json' | 'combined';
  /** Names of JSON fields, or `header.NAME`, in the order of a line; all named fields when undefined. */
  readonly fields?: readonly string[] | undefined;
  /** Headers, query parameters and cookies whose values are never written. */
  readonly redact: readonly string[];
}

export interface AccessLog {
  /** Writes the line of a finished request. Never blocks and never throws. */
  record(entry: AccessEntry): void;
  /** Opens the file anew, for log rotation. */
  reopen(): void;
  /** Writes what waits, within as many milliseconds, and closes; lines that are left or come later are dropped. */
  close(within?: number): Promise<void>;
  /** Lines lost since this log was opened. */
  readonly dropped: number;
}

/** Opens the log; throws the system's error when its file cannot be opened, `TypeError` for fields that do not exist. */
export function createAccessLog(options: AccessLogOptions, deps: { clock: Clock; logger: Logger }): AccessLog {
  const line = createLine(options);
  const writer = openLineWriter(options.file, deps.logger);
  const { clock } = deps;
  // A standard stream may have been written to, and have lost lines, before.
  const before = writer.dropped;
  return {
    record: (entry) => writer.write(line(entry, clock.wall())),
    reopen: () => writer.reopen(),
    close: (within) => writer.close(within),
    get dropped() {
      return writer.dropped - before;
    },
  };
}

function createLine({ format, fields, redact }: AccessLogOptions): AccessLine {
  const redaction = new Redaction(redact);
  if (format === 'combined') return createCombinedLine(redaction);
  return fields === undefined ? createWholeLine(redaction) : createSelectedLine(fields, redaction);
}
