/** The fields of an access-log line by name, and the line of those that an operator selected. */
import { isAccessField } from '../base/access-field-names.ts';
import type { AccessEntry, AccessLine } from './access-entry.ts';
import { jsonString } from './json-string.ts';
import { REDACTED, type Redaction } from './redaction.ts';

/** Gives a field's value as JSON. */
type FieldWriter = (entry: AccessEntry) => string;

/** `.000` to `.999`, since turning a fraction into text is the dearest part of a line. */
const FRACTIONS: readonly string[] = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, '0')}`);

/** Milliseconds to the microsecond; `null` below 0. */
export function millisecondsJson(value: number): string {
  if (!(value >= 0)) return 'null';
  const micro = Math.round(value * 1000);
  const whole = Math.floor(micro / 1000);
  return whole + FRACTIONS[micro - whole * 1000];
}

/** `null` for text that is empty. */
export function optionalJson(value: string): string {
  return value === '' ? 'null' : jsonString(value);
}

/** The start of every line, made anew when the millisecond changes: time, level and message, and the comma after them. */
export function createLineStart(): (wall: number) => string {
  let millisecond = -1;
  let second = -1;
  let secondText = '';
  let text = '';
  return (wall) => {
    const now = Math.floor(wall);
    if (now === millisecond) return text;
    millisecond = now;
    const nowSecond = Math.floor(now / 1000);
    if (nowSecond !== second) {
      second = nowSecond;
      secondText = `{"time":"${new Date(second * 1000).toISOString().slice(0, 19)}`;
    }
    text = `${secondText}${FRACTIONS[now - second * 1000]}Z","level":"info","msg":"access",`;
    return text;
  };
}

const FIELDS: Readonly<Record<string, FieldWriter>> = {
  user: ({ identity }) => optionalJson(identity?.subject ?? ''),
  consumer: ({ identity }) => optionalJson(identity?.consumer ?? ''),
  request_id: (entry) => jsonString(entry.requestId),
  client: (entry) => jsonString(entry.clientAddress),
  method: (entry) => jsonString(entry.method),
  host: (entry) => jsonString(entry.host),
  path: ({ target }) => jsonString(target.includes('?') ? target.slice(0, target.indexOf('?')) : target),
  protocol: (entry) => jsonString(entry.protocol),
  route: (entry) => jsonString(entry.route),
  service: (entry) => optionalJson(entry.service),
  endpoint: (entry) => optionalJson(entry.endpoint),
  status: (entry) => String(entry.status),
  upstream_status: (entry) => (entry.upstreamStatus === 0 ? 'null' : String(entry.upstreamStatus)),
  grpc_status: (entry) => (entry.grpcStatus < 0 ? 'null' : String(entry.grpcStatus)),
  bytes_in: (entry) => String(entry.bytesIn),
  bytes_out: (entry) => String(entry.bytesOut),
  duration_ms: (entry) => millisecondsJson(entry.durationMs),
  upstream_ms: (entry) => millisecondsJson(entry.upstreamMs),
  gateway_ms: (entry) => millisecondsJson(entry.durationMs - Math.max(0, entry.upstreamMs)),
  retries: (entry) => String(entry.retries),
  error: (entry) => optionalJson(entry.errorCode),
  trace_id: (entry) => optionalJson(entry.traceId),
  user_agent: (entry) => optionalJson(entry.userAgent()),
};

/** These begin every line; naming them changes nothing. */
const ALWAYS: readonly string[] = ['time', 'level', 'msg'];

/** Lines of the fields named, in that order and each once. Throws `TypeError` for a name that `isAccessField` refuses. */
export function createSelectedLine(names: readonly string[], redaction: Redaction): AccessLine {
  const start = createLineStart();
  const fields = [...new Set(names)].filter((name) => !ALWAYS.includes(name));
  const keys = fields.map((name) => `${JSON.stringify(name)}:`);
  const writers = fields.map((name) => fieldWriter(name, redaction));
  return (entry, wall) => {
    let text = start(wall);
    if (writers.length === 0) return `${text.slice(0, -1)}}\n`;
    for (let i = 0; i < writers.length; i++) text += (i === 0 ? '' : ',') + keys[i] + writers[i](entry);
    return `${text}}\n`;
  };
}

function fieldWriter(name: string, redaction: Redaction): FieldWriter {
  if (!isAccessField(name)) throw new TypeError(`there is no access log field "${name}"`);
  if (name.startsWith('header.')) return headerWriter(name.slice(7).toLowerCase(), redaction);
  if (name === 'user_agent' && redaction.hides('user-agent')) return () => `"${REDACTED}"`;
  if (name === 'host' && redaction.hides('host')) return () => `"${REDACTED}"`;
  return name === 'query' ? queryWriter(redaction) : FIELDS[name];
}

function queryWriter(redaction: Redaction): FieldWriter {
  return ({ target }) => {
    const mark = target.indexOf('?');
    return mark < 0 ? 'null' : jsonString(redaction.query(target.slice(mark + 1)));
  };
}

function headerWriter(header: string, redaction: Redaction): FieldWriter {
  if (redaction.hides(header)) return (entry) => (entry.header(header) === undefined ? 'null' : `"${REDACTED}"`);
  return (entry) => {
    const value = entry.header(header);
    return value === undefined ? 'null' : jsonString(redaction.header(header, value));
  };
}
