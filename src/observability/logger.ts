/** The log of the gateway itself: one JSON object a line on stdout, without secrets. */
import { type Clock, systemClock } from '../base/clock.ts';
import type { LogFields, Logger, LogLevel } from '../base/logger.ts';
import { asciiJson } from './json-string.ts';
import { writeStandardLine } from './line-writer.ts';
import { loggable } from './loggable.ts';

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

export interface LoggerOptions {
  readonly level: LogLevel;
  /** Takes whole lines, in US-ASCII; stdout by default. */
  readonly write?: (line: string) => void;
  readonly clock?: Clock;
}

/** A logger whose level may be changed while it runs. Its functions never throw, whatever the fields hold. */
export function createLogger({ level, write = writeStandardLine, clock = systemClock }: LoggerOptions): Logger {
  const log = (severity: LogLevel, message: string, fields: LogFields | undefined): void => {
    if (ORDER.indexOf(severity) < ORDER.indexOf(logger.level)) return;
    const line: LogFields = { time: new Date(clock.wall()).toISOString(), level: severity, msg: loggable(message) };
    const extra = fields === undefined ? {} : (loggable(fields) as LogFields);
    for (const name of Object.keys(extra)) {
      // A field must not pass for another time, level or message.
      line[Object.hasOwn(line, name) ? `field_${name}` : name] = extra[name];
    }
    write(`${asciiJson(JSON.stringify(line))}\n`);
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
