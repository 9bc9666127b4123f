/** A logger that keeps what it is told, for tests to look at. */
import { type LogFields, type Logger, silentLogger } from '../../src/base/logger.ts';

export interface LogLine {
  readonly message: string;
  readonly fields: LogFields;
}

export interface RecordedLogger {
  readonly logger: Logger;
  readonly lines: LogLine[];
}

/** Keeps what is told at these levels, whatever level the configuration sets. */
export function createRecordedLogger(...levels: ('info' | 'warn' | 'error')[]): RecordedLogger {
  const lines: LogLine[] = [];
  const logger = { ...silentLogger };
  for (const level of levels) logger[level] = (message, fields = {}) => void lines.push({ message, fields });
  return { logger, lines };
}
