/** One line of JSON for each request, put together by hand and written in batches. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { jsonString } from './json-string.ts';
import { LineWriter } from './line-writer.ts';

/** What a line is made from; the exchange itself, so that nothing is copied. */
export interface AccessEntry {
  readonly requestId: string;
  readonly method: string;
  /** As received, with its query. */
  readonly target: string;
  readonly host: string;
  readonly route: string;
  readonly service: string;
  readonly endpoint: string;
  readonly status: number;
  /** 0 when no upstream answered. */
  readonly upstreamStatus: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Milliseconds. */
  readonly durationMs: number;
  /** Milliseconds with the upstream; below 0 when there was none. */
  readonly upstreamMs: number;
  readonly retries: number;
  /** A code of the error table, or `''`. */
  readonly errorCode: string;
  readonly clientAddress: string;
  readonly protocol: string;
  readonly traceId: string;
  userAgent(): string;
  /** A request field by its lower-case name. */
  header(lowerName: string): string | undefined;
}

export interface AccessLogOptions {
  /** `stdout`, `stderr` or a path. */
  readonly file: string;
  /** Names of fields, or `header.NAME`; all named fields when undefined. */
  readonly fields?: readonly string[] | undefined;
  /** Headers and query parameters whose values are never written. */
  readonly redact: readonly string[];
}

export interface AccessLog {
  record(entry: AccessEntry): void;
  reopen(): void;
  close(): Promise<void>;
  readonly dropped: number;
}

type FieldWriter = (entry: AccessEntry) => string;

/** `.000` to `.999`, since turning a fraction into text is the dearest part of a line. */
const FRACTIONS: readonly string[] = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, '0')}`);

/** Milliseconds to the microsecond. */
function milliseconds(value: number): string {
  if (value < 0) return 'null';
  const micro = Math.round(value * 1000);
  const whole = Math.floor(micro / 1000);
  return whole + FRACTIONS[micro - whole * 1000];
}

const quoted = (value: string): string => (value === '' ? 'null' : jsonString(value));

function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? target : target.slice(0, mark);
}

/** Every field by name, in the order of a line; each gives JSON. */
const FIELDS: Readonly<Record<string, FieldWriter>> = {
  request_id: (entry) => jsonString(entry.requestId),
  client: (entry) => jsonString(entry.clientAddress),
  method: (entry) => jsonString(entry.method),
  host: (entry) => jsonString(entry.host),
  path: (entry) => jsonString(pathOf(entry.target)),
  protocol: (entry) => jsonString(entry.protocol),
  route: (entry) => jsonString(entry.route),
  service: (entry) => quoted(entry.service),
  endpoint: (entry) => quoted(entry.endpoint),
  status: (entry) => String(entry.status),
  upstream_status: (entry) => (entry.upstreamStatus === 0 ? 'null' : String(entry.upstreamStatus)),
  bytes_in: (entry) => String(entry.bytesIn),
  bytes_out: (entry) => String(entry.bytesOut),
  duration_ms: (entry) => milliseconds(entry.durationMs),
  upstream_ms: (entry) => milliseconds(entry.upstreamMs),
  gateway_ms: (entry) => milliseconds(entry.durationMs - Math.max(0, entry.upstreamMs)),
  retries: (entry) => String(entry.retries),
  error: (entry) => quoted(entry.errorCode),
  trace_id: (entry) => quoted(entry.traceId),
  user_agent: (entry) => quoted(entry.userAgent()),
};

/** The names that `logging.access.fields` may hold, beside `query` and `header.NAME`. */
export const ACCESS_FIELDS: readonly string[] = [...Object.keys(FIELDS), 'query'];

const REDACTED = '"[redacted]"';

/** Opens the log; throws the system's error when its file cannot be opened. */
export function createAccessLog(options: AccessLogOptions, deps: { clock: Clock; logger: Logger }): AccessLog {
  const writer = new LineWriter(options.file, deps.logger);
  const redact = new Set(options.redact.map((name) => name.toLowerCase()));
  const format = options.fields === undefined ? wholeLine(redact) : selectedLine(options.fields, redact);
  let second = -1;
  let prefix = '';
  return {
    record(entry) {
      const now = deps.clock.wall();
      const current = Math.floor(now / 1000);
      if (current !== second) {
        second = current;
        prefix = `{"time":"${new Date(current * 1000).toISOString().slice(0, 20)}`;
      }
      const part = Math.floor(now) - current * 1000;
      const digits = part < 10 ? `00${part}` : part < 100 ? `0${part}` : `${part}`;
      writer.write(`${prefix}${digits}Z","level":"info","msg":"access"${format(entry)}}\n`);
    },
    reopen: () => writer.reopen(),
    close: () => writer.close(),
    get dropped() {
      return writer.dropped;
    },
  };
}

/** All fields: one expression, since this is what nearly everybody runs. The order is that of `FIELDS`. */
function wholeLine(redact: ReadonlySet<string>): FieldWriter {
  const hideAgent = redact.has('user-agent');
  const places = new PlaceTexts();
  return (entry) => {
    const { target, upstreamMs, upstreamStatus, errorCode, service, endpoint, traceId } = entry;
    const mark = target.indexOf('?');
    const query = mark < 0 ? '' : `,"query":${queryOf(target.slice(mark + 1), redact)}`;
    return (
      `,"request_id":"${entry.requestId}","client":"${entry.clientAddress}","method":"${entry.method}","host":` +
      `${jsonString(entry.host)},"path":${jsonString(mark < 0 ? target : target.slice(0, mark))}${query}` +
      `,"protocol":"${entry.protocol}"${places.of(entry.route, service)},"endpoint":${quoted(endpoint)}` +
      `,"status":${entry.status},"upstream_status":${upstreamStatus === 0 ? 'null' : upstreamStatus},"bytes_in":` +
      `${entry.bytesIn},"bytes_out":${entry.bytesOut},"duration_ms":${milliseconds(entry.durationMs)},"upstream_ms":` +
      `${milliseconds(upstreamMs)},"gateway_ms":${milliseconds(entry.durationMs - Math.max(0, upstreamMs))}` +
      `,"retries":${entry.retries},"error":${errorCode === '' ? 'null' : `"${errorCode}"`}` +
      `,"trace_id":${traceId === '' ? 'null' : `"${traceId}"`}` +
      `,"user_agent":${hideAgent ? REDACTED : quoted(entry.userAgent())}`
    );
  };
}

/** The part of a line that a route and its service make, kept for as many routes as a large config has. */
class PlaceTexts {
  private readonly texts = new Map<string, { service: string; text: string }>();

  of(route: string, service: string): string {
    const known = this.texts.get(route);
    if (known !== undefined && known.service === service) return known.text;
    if (this.texts.size >= 20_000) this.texts.clear();
    const text = `,"route":${jsonString(route)},"service":${quoted(service)}`;
    this.texts.set(route, { service, text });
    return text;
  }
}

function selectedLine(names: readonly string[], redact: ReadonlySet<string>): FieldWriter {
  const writers = names.map((name): readonly [string, FieldWriter] => [
    `,${JSON.stringify(name)}:`,
    fieldOf(name, redact),
  ]);
  return (entry) => {
    let text = '';
    for (const [key, value] of writers) text += key + value(entry);
    return text;
  };
}

/** Throws for a name that config was to refuse. */
function fieldOf(name: string, redact: ReadonlySet<string>): FieldWriter {
  if (name.startsWith('header.')) {
    const header = name.slice(7).toLowerCase();
    if (redact.has(header)) return (entry) => (entry.header(header) === undefined ? 'null' : REDACTED);
    return (entry) => {
      const value = entry.header(header);
      return value === undefined ? 'null' : jsonString(value);
    };
  }
  if (name === 'query') {
    return ({ target }) => (target.includes('?') ? queryOf(target.slice(target.indexOf('?') + 1), redact) : 'null');
  }
  if (name === 'user_agent' && redact.has('user-agent')) return () => REDACTED;
  const known = FIELDS[name];
  if (known === undefined) throw new TypeError(`there is no access log field "${name}"`);
  return known;
}

/** The query with the values of redacted parameters taken out. */
function queryOf(query: string, redact: ReadonlySet<string>): string {
  if (redact.size === 0 || !query.includes('=')) return jsonString(query);
  const parts = query.split('&');
  for (let i = 0; i < parts.length; i++) {
    const equals = parts[i].indexOf('=');
    if (equals > 0 && redact.has(nameOf(parts[i].slice(0, equals))))
      parts[i] = `${parts[i].slice(0, equals)}=[redacted]`;
  }
  return jsonString(parts.join('&'));
}

function nameOf(key: string): string {
  if (!key.includes('%')) return key.toLowerCase();
  try {
    return decodeURIComponent(key).toLowerCase();
  } catch {
    return key.toLowerCase();
  }
}
