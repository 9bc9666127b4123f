/** All raw request cases, gathered from the files of their topics. */
import type { RequestCase } from './request-case.ts';
import { chunkedCases } from './requests/chunked.ts';
import { connectionCases } from './requests/connection.ts';
import { fieldCases } from './requests/fields.ts';
import { framingCases } from './requests/framing.ts';
import { hostCases } from './requests/host.ts';
import { limitCases } from './requests/limits.ts';
import { requestLineCases } from './requests/request-line.ts';
import { smugglingCases } from './requests/smuggling.ts';
import { targetCases } from './requests/target.ts';

export const requestCases: readonly RequestCase[] = [
  ...requestLineCases,
  ...targetCases,
  ...hostCases,
  ...fieldCases,
  ...framingCases,
  ...smugglingCases,
  ...chunkedCases,
  ...connectionCases,
  ...limitCases,
];
