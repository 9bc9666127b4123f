/** What every check across values is given. */
import type { Report } from './findings.ts';
import type { ValuePath } from './source-tree.ts';

/** What a check is given beside the values. */
export interface CheckContext {
  /** The whole file as it was written, also what is wrong in it. */
  raw: unknown;
  /** What the file has at the place of a value under check, right or wrong; undefined for nothing. */
  written(path: ValuePath): unknown;
  /** The path of a value under check as people know it: `services[2]`. */
  nameOf(path: ValuePath): string;
  report(report: Report): void;
  /** Reports on a path of `raw` rather than of the values under check. */
  reportWritten(report: Report): void;
}
