/** All raw response cases, gathered from the files of their topics. */
import type { ResponseCase } from './response-case.ts';
import { chunkedCases } from './responses/chunked.ts';
import { fieldCases } from './responses/fields.ts';
import { framingCases } from './responses/framing.ts';
import { statusLineCases } from './responses/status-line.ts';

export const responseCases: readonly ResponseCase[] = [
  ...statusLineCases,
  ...framingCases,
  ...chunkedCases,
  ...fieldCases,
];
