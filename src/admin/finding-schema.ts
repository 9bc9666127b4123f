/** A finding in a configuration, as answers show it. */
import { z } from 'zod';
import type { Finding } from '../config/finding.ts';

export const findingSchema = z
  .object({
    file: z.string(),
    line: z.int().min(1),
    column: z.int().min(1),
    severity: z.enum(['error', 'warning']),
    code: z.string(),
    message: z.string(),
    path: z.string().meta({ description: 'Such as `routes[2].match.path`; empty for the whole file.' }),
    suggestion: z.string().optional(),
  })
  .meta({
    id: 'Finding',
    description: 'What is wrong, or odd, in a configuration, and where.',
  }) satisfies z.ZodType<Finding>;
