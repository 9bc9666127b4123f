/** Whether one list of address ranges believes more than another, whatever ranges the two are written in. */
import { parseCidr } from '../../base/ip.ts';

interface Span {
  readonly family: 4 | 6;
  readonly start: bigint;
  readonly end: bigint;
}

/** True when every address of `narrow` lies in `wide`. */
export function coversRanges(wide: readonly string[], narrow: readonly string[]): boolean {
  const spans = joined(wide);
  return joined(narrow).every(({ family, start, end }) =>
    spans.some((span) => span.family === family && span.start <= start && span.end >= end),
  );
}

/** Without overlaps and gaps of nothing, so that a range is covered by one span or not at all. */
function joined(ranges: readonly string[]): Span[] {
  const spans = ranges.flatMap(spanOf);
  spans.sort((a, b) => a.family - b.family || (a.start < b.start ? -1 : 1));
  const result: Span[] = [];
  for (const span of spans) {
    const last = result.at(-1);
    if (last === undefined || last.family !== span.family || span.start > last.end + 1n) result.push(span);
    else if (span.end > last.end) result[result.length - 1] = { ...last, end: span.end };
  }
  return result;
}

function spanOf(text: string): Span[] {
  const cidr = parseCidr(text);
  if (cidr === null) return [];
  const start = cidr.groups.reduce((bits, group) => bits * 65_536n + BigInt(group), 0n);
  const free = BigInt(cidr.groups.length * 16 - cidr.prefix);
  return [{ family: cidr.family, start, end: start + 2n ** free - 1n }];
}
