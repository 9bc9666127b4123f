/** The options that both header policies share, and what they compile to. */
import { z } from 'zod';
import { editableHeaderNameSchema, headerValuesSchema } from '../config/header-schema.ts';
import { HeaderEdits } from '../http/header-edits.ts';

/** The rules are those of every other place in the file where headers are written. */
export const headerOperationsSchema = z.strictObject({
  set: headerValuesSchema.default({}).describe('Headers that replace those of the same name.'),
  add: headerValuesSchema.default({}).describe('Headers added beside those of the same name.'),
  remove: z.array(editableHeaderNameSchema).default([]).describe('Names of headers to leave out.'),
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
