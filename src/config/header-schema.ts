/** Schemas of header names and values that a file may hold; nothing that breaks a message's framing gets through. */
import { z } from 'zod';

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;

/** A token of RFC 9110, 5.6.2. */
export function isToken(text: string): boolean {
  return token.test(text);
}

/**
 * Fields that only the gateway itself may write: those of one connection (RFC 9110, 7.6.1) and those that say where a
 * message ends (RFC 9112, 6). Lower case.
 */
const reservedHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The name of a header, as a predicate may look at it. */
export const headerNameSchema = z
  .string()
  .refine(isToken, { error: 'is not a header name: letters, digits and - (RFC 9110, 5.1)' })
  .meta({ pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$" });

/** The name of a header that a file may set, add or remove. `Host` is written by `rewrite.host` alone. */
export const editableHeaderNameSchema = headerNameSchema
  .refine((name) => !reservedHeaders.has(name.toLowerCase()), {
    error: 'is written by the gateway itself: it frames the message or belongs to one connection',
  })
  .refine((name) => name.toLowerCase() !== 'host', { error: 'cannot be edited here: use `rewrite.host`' });

/** The value of a header: no CR, LF, NUL or other control but the tab, no space around it, Latin-1 (RFC 9110, 5.5). */
const headerValueSchema = z
  .string({ error: 'expected a string: quote it' })
  .refine((value) => !/[^\t\x20-\x7e\xa0-\xff]/.test(value), {
    error: 'holds a line break, another control character or a letter beyond Latin-1, which no header can carry',
  })
  .refine((value) => value.length <= 8192, { error: 'is longer than 8192 characters' })
  .refine((value) => !/^[ \t]|[ \t]$/.test(value), {
    error: 'begins or ends with a space, which a header cannot keep',
  });

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
