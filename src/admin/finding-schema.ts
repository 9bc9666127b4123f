/** What is wrong with a configuration, as answers of the admin listener show it: the shape of `check --json`. */
import { z } from 'zod';
import type { Finding } from '../config/finding.ts';

export const findingSchema = z.object({
  file: z.string(),
  line: z.int(),
  column: z.int(),
  severity: z.enum(['error', 'warning']),
  code: z.string(),
  message: z.string(),
  path: z.string(),
  suggestion: z.string().optional(),
}) satisfies z.ZodType<Finding>;
