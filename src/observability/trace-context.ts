/** W3C Trace Context (level 1, section 3.2): the `traceparent` of a request, continued or begun. */
import { createHexSource } from './random-hex.ts';

/** `00-` trace id `-` parent id `-` flags. */
const LENGTH = 55;
const PARENT_AT = 36;
const FLAGS_AT = 53;
const ZERO = 48;
const DASH = 45;

/**
 * True for a value whose trace is to be continued: version 00 of exactly 55 characters, or a later one that begins
 * alike (section 3.2.4), ids that are not all zero, hexadecimal digits in lower case only.
 */
export function isTraceparent(text: string): boolean {
  const length = text.length;
  if (length < LENGTH) return false;
  if (length > LENGTH && (isVersion00(text) || text.charCodeAt(LENGTH) !== DASH)) return false;
  if (text.charCodeAt(0) === 102 && text.charCodeAt(1) === 102) return false;
  if (text.charCodeAt(2) !== DASH || text.charCodeAt(35) !== DASH || text.charCodeAt(52) !== DASH) return false;
  return (
    hexKind(text, 0, 2) !== MALFORMED &&
    hexKind(text, 3, 35) === NON_ZERO &&
    hexKind(text, PARENT_AT, 52) === NON_ZERO &&
    hexKind(text, FLAGS_AT, LENGTH) !== MALFORMED
  );
}

/**
 * The `traceparent` to send upstream, always of version 00: the same trace and flags under a new parent id, or a trace
 * begun anew where `header` is missing or malformed; then a `tracestate` that came with it must be dropped.
 */
export function continueTrace(header: string | undefined): string {
  if (header === undefined || !isTraceparent(header)) return beginTrace();
  if (isVersion00(header)) return header.slice(0, PARENT_AT) + newParentId() + header.slice(52);
  // Of a version yet unknown, only the sampled flag has a meaning here (section 3.2.4).
  const sampled = (header.charCodeAt(FLAGS_AT + 1) & 1) === (header.charCodeAt(FLAGS_AT + 1) < 58 ? 1 : 0);
  return `00${header.slice(2, PARENT_AT)}${newParentId()}${sampled ? '-01' : '-00'}`;
}

/**
 * A `traceparent` of a new trace. It is marked sampled: services that follow the flag would else record nothing that
 * comes through the gateway.
 */
export const beginTrace: () => string = createHexSource(`00-n${'x'.repeat(31)}-n${'x'.repeat(15)}-01`);

const newParentId = createHexSource(`n${'x'.repeat(15)}`);

/** The trace id of a value that `continueTrace` or `beginTrace` made. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}

function isVersion00(text: string): boolean {
  return text.charCodeAt(0) === ZERO && text.charCodeAt(1) === ZERO;
}

const MALFORMED = 0;
const ALL_ZERO = 1;
const NON_ZERO = 2;

function hexKind(text: string, from: number, to: number): number {
  let kind = ALL_ZERO;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    if (code === ZERO) continue;
    if (code < ZERO || code > 102 || (code > 57 && code < 97)) return MALFORMED;
    kind = NON_ZERO;
  }
  return kind;
}
