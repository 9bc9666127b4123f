/** The interface through which every room reports; the implementation stands in `observability`. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export type LogFields = Record<string, unknown>;

export interface Logger {
  level: LogLevel;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const ignore = (): void => {};

/** A logger that drops everything: for tests and for rooms used as a library. */
export const silentLogger: Logger = { level: 'silent', debug: ignore, info: ignore, warn: ignore, error: ignore };
