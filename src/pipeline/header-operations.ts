/** The options that both header policies share, and what they compile to. */
import { z } from 'zod';
import { isFieldValue, isToken } from '../http/byte-class.ts';
import { HeaderEdits } from '../http/header-edits.ts';

/** Fields that frame or route the message: the gateway writes these itself. */
const OWNED: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'connection',
  'host',
  'te',
  'upgrade',
  'trailer',
]);

const name = z
  .string()
  .refine(isToken, 'not a header name (RFC 9110 section 5.6.2)')
  .refine((text) => !OWNED.has(text.toLowerCase()), 'this header is written by the gateway alone');
const value = z.string().refine(isFieldValue, 'a header value must not have control characters or text beyond latin1');

export const headerOperationsSchema = z.strictObject({
  set: z.record(name, value).default({}).describe('Headers that replace those of the same name.'),
  add: z.record(name, value).default({}).describe('Headers added beside those of the same name.'),
  remove: z.array(name).default([]).describe('Names of headers to leave out.'),
});

export type HeaderOperations = z.output<typeof headerOperationsSchema>;

/** Removals first, then replacements, then additions. */
export function compileOperations(operations: HeaderOperations): HeaderEdits {
  const edits = new HeaderEdits();
  for (const header of operations.remove) edits.remove(header);
  for (const [header, text] of Object.entries(operations.set)) edits.set(header, text);
  for (const [header, text] of Object.entries(operations.add)) edits.add(header, text);
  return edits;
}

/** One line for people: what the operations do. */
export function describeOperations(operations: HeaderOperations): string {
  const parts: string[] = [];
  const set = Object.entries(operations.set).map(([header, text]) => `${header}: ${text}`);
  const add = Object.entries(operations.add).map(([header, text]) => `${header}: ${text}`);
  if (operations.remove.length > 0) parts.push(`removes ${operations.remove.join(', ')}`);
  if (set.length > 0) parts.push(`sets ${set.join(', ')}`);
  if (add.length > 0) parts.push(`adds ${add.join(', ')}`);
  return parts.join('; ') || 'changes nothing';
}
