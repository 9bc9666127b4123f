/** Which traces are continued, and which are begun anew. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beginTrace, continueTrace, isTraceparent, traceIdOf } from './trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const VALID = `00-${TRACE}-${PARENT}-01`;

/** A value that any receiver of version 00 takes, by another route than the code's. */
function isWellFormed(value: string): boolean {
  return /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(value);
}

describe('a trace that is continued', () => {
  it.each([
    [VALID, '01'],
    [`00-${TRACE}-${PARENT}-00`, '00'],
    [`00-${TRACE}-${PARENT}-03`, '03'],
    [`00-${TRACE}-${PARENT}-ff`, 'ff'],
    [`cc-${TRACE}-${PARENT}-01`, '01'],
    [`cc-${TRACE}-${PARENT}-01-what-the-future-holds`, '01'],
    [`01-${TRACE}-${PARENT}-fe-`, '00'],
    [`01-${TRACE}-${PARENT}-0b`, '01'],
    [`01-${TRACE}-${PARENT}-0a`, '00'],
    [`fe-${TRACE}-${PARENT}-09`, '01'],
  ])('%s keeps its trace id and has the flags %s', (header, flags) => {
    const sent = continueTrace(header);
    expect(isWellFormed(sent)).toBe(true);
    expect(traceIdOf(sent)).toBe(TRACE);
    expect(sent.slice(36, 52)).not.toBe(PARENT);
    expect(sent.slice(53)).toBe(flags);
  });

  it('gets a new parent id each time', () => {
    expect(new Set(Array.from({ length: 1000 }, () => continueTrace(VALID))).size).toBe(1000);
  });
});

describe('a trace that is begun anew', () => {
  it.each([
    undefined,
    '',
    VALID.slice(0, -1),
    `${VALID}-`,
    `${VALID}-extra`,
    `${VALID} `,
    ` ${VALID}`,
    VALID.toUpperCase(),
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT.toUpperCase()}-01`,
    `00-${TRACE}-${PARENT}-0A`,
    `ff-${TRACE}-${PARENT}-01`,
    `ff-${TRACE}-${PARENT}-01-x`,
    `0g-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.slice(1)}g-${PARENT}-01`,
    `00-${TRACE}-${PARENT.slice(1)}:-01`,
    `00-${TRACE}-${PARENT}-0/`,
    `00_${TRACE}-${PARENT}-01`,
    `00-${TRACE}_${PARENT}-01`,
    `00-${TRACE}-${PARENT}_01`,
    `01-${TRACE}-${PARENT}-01x`,
    `${VALID},${VALID}`,
    '\xff'.repeat(55),
    '-'.repeat(55),
  ])('instead of %j', (header) => {
    if (header !== undefined) expect(isTraceparent(header)).toBe(false);
    const sent = continueTrace(header);
    expect(isWellFormed(sent)).toBe(true);
    expect(traceIdOf(sent)).not.toBe(TRACE);
    expect(sent.endsWith('-01')).toBe(true);
  });

  it('is another one each time', () => {
    const traces = Array.from({ length: 1000 }, beginTrace);
    expect(new Set(traces.map(traceIdOf)).size).toBe(1000);
    expect(new Set(traces.map((trace) => trace.slice(36, 52))).size).toBe(1000);
    expect(traces.every(isWellFormed)).toBe(true);
  });

  it('happens for exactly what a receiver of version 00 would not take, of all that begins so', () => {
    const digits = (length: number): fc.Arbitrary<string> =>
      fc.oneof(
        { weight: 5, arbitrary: fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)) },
        fc.stringMatching(new RegExp(`^[0-9a-fA-F-]{${length - 1},${length + 1}}$`)),
        fc.constantFrom('0'.repeat(length), 'g'.repeat(length), ''),
      );
    let accepted = 0;
    fc.assert(
      fc.property(
        digits(32),
        digits(16),
        digits(2),
        fc.constantFrom('', '', '', '-', '0'),
        (trace, parent, flags, end) => {
          const text = `00-${trace}-${parent}-${flags}${end}`;
          expect(isTraceparent(text)).toBe(isWellFormed(text));
          if (isTraceparent(text)) accepted++;
        },
      ),
      { numRuns: 500 },
    );
    expect(accepted).toBeGreaterThan(0);
  });
});
