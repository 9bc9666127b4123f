/** The log of the gateway itself: one JSON object a line on stdout, without secrets. */
import type { LogFields, Logger, LogLevel } from '../base/logger.ts';

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];
/** Names of fields whose values are never written, in whatever depth. */
const SECRET = /authorization|cookie|token|password|passwd|secret|api[-_]?key|credential/i;
const MAX_DEPTH = 6;

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Takes whole lines; stdout by default. */
  readonly write?: (line: string) => void;
}

/** A logger whose level may be changed while it runs. */
export function createLogger({ level, write = (line) => void process.stdout.write(line) }: LoggerOptions): Logger {
  const log = (severity: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (ORDER.indexOf(severity) < ORDER.indexOf(logger.level)) return;
    const head = { time: new Date().toISOString(), level: severity, msg: message };
    write(`${JSON.stringify({ ...head, ...(fields === undefined ? {} : (plain(fields, 0) as LogFields)) })}\n`);
  };
  const logger: Logger = {
    level,
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
  };
  return logger;
}

/** What JSON can hold of a value: errors with their messages, no secrets, no cycles. */
function plain(value: unknown, depth: number): unknown {
  if (value instanceof Error) {
    const { name, message, stack } = value;
    return { name, message, code: (value as NodeJS.ErrnoException).code, stack };
  }
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    copy[name] = SECRET.test(name) && item !== undefined ? '[redacted]' : plain(item, depth + 1);
  }
  return copy;
}
