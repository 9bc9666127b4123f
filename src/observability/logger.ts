/** One JSON object a line on stdout. */
import type { LogFields, Logger, LogLevel } from '../base/logger.ts';
const order: LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];
export function createLogger(options: { level: LogLevel }): Logger {
  const write = (level: LogLevel, msg: string, fields: LogFields = {}): void => {
    if (order.indexOf(level) < order.indexOf(logger.level)) return;
    process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, msg, ...fields })}\n`);
  };
  const logger: Logger = { level: options.level, debug: (m, f) => write('debug', m, f), info: (m, f) => write('info', m, f), warn: (m, f) => write('warn', m, f), error: (m, f) => write('error', m, f) };
  return logger;
}
