/** Schemas of header names and values that a file may hold; nothing that breaks a message's framing gets through. */
import { z } from 'zod';
import { editableHeaderProblem, headerNameProblem, headerValueProblem } from '../base/header-rules.ts';

/** A string that a rule of `base/header-rules.ts` lets pass; the rule's words are the finding's. */
function ruled(schema: z.ZodString, problemOf: (text: string) => string | null) {
  return schema.check((context) => {
    const problem = problemOf(context.value);
    if (problem !== null) context.issues.push({ code: 'custom', input: context.value, message: problem });
  });
}

/** For editors, which know no more of a name than its characters. */
const namePattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$";

/** The name of a header, as a predicate may look at it. */
export const headerNameSchema = ruled(z.string(), headerNameProblem).meta({ pattern: namePattern });

/** The name of a header that a file may set, add or remove. */
export const editableHeaderNameSchema = ruled(z.string(), editableHeaderProblem).meta({ pattern: namePattern });

/** The value of a header, as one that is set or added may have it. */
const headerValueSchema = ruled(z.string({ error: 'expected a string: quote it' }), headerValueProblem);

/** A map of header names to `value`; two names that differ only in case are one header and so refused. */
export function headerMap<V extends z.ZodType>(name: typeof headerNameSchema, value: V) {
  return z.record(name, value).check((context) => {
    const seen = new Set<string>();
    for (const key of Object.keys(context.value)) {
      const lower = key.toLowerCase();
      if (seen.has(lower)) {
        context.issues.push({
          code: 'custom',
          input: context.value,
          path: [key],
          message: 'stands here twice: header names do not differ by case',
          params: { finding: 'duplicate_header' },
        });
      }
      seen.add(lower);
    }
  });
}

/** Headers with the values that they get. */
export const headerValuesSchema = headerMap(editableHeaderNameSchema, headerValueSchema);
