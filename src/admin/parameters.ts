/** Parameters of admin requests, from the path and the query: decoded strictly, and checked by their schemas. */
import { z } from 'zod';
import { didYouMean, nearest } from '../base/nearest.ts';
import { faultsOf } from './request-fault.ts';
import type { Parameters } from './route.ts';

export type ParametersVerdict = { readonly values: Record<string, unknown> } | { readonly fault: string };

/** A query parameter that is on or off. */
export function flag(description: string): z.ZodType<boolean> {
  return z
    .enum(['true', 'false'])
    .default('false')
    .transform((text) => text === 'true')
    .meta({ description });
}

/** A whole number, written in decimal digits. */
export function wholeNumber(least: number, most: number, description: string): z.ZodType<number> {
  return z
    .string()
    .regex(/^(0|[1-9][0-9]{0,15})$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`)
    .meta({ description });
}

/** `sent` are the segments as they came, by name. */
export function readPath(sent: Readonly<Record<string, string>>, schemas: Parameters): ParametersVerdict {
  const decoded: Record<string, string> = {};
  for (const [name, text] of Object.entries(sent)) {
    const value = percentDecode(text);
    if (value === null) return { fault: `the path's ${name} is not percent-encoded UTF-8` };
    decoded[name] = value;
  }
  return check(decoded, schemas);
}

/** `sent` is what stands behind the question mark. `schemas` that are undefined take nothing. */
export function readQuery(sent: string, schemas: Parameters = {}): ParametersVerdict {
  const decoded: Record<string, string | string[]> = {};
  for (const pair of sent.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = formDecode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : formDecode(pair.slice(equals + 1));
    if (name === null || value === null) return { fault: 'the query is not percent-encoded UTF-8' };
    if (!Object.hasOwn(schemas, name)) {
      return {
        fault: `there is no parameter ${JSON.stringify(name)}${didYouMean(nearest(name, Object.keys(schemas)))}`,
      };
    }
    const former = decoded[name];
    if (isRepeatable(schemas[name])) decoded[name] = [...((former as string[] | undefined) ?? []), value];
    else if (former === undefined) decoded[name] = value;
    else return { fault: `${name} may be given once` };
  }
  return check(decoded, schemas);
}

/** True when the schema, or what it makes optional, is an array. */
export function isRepeatable(schema: z.ZodType): boolean {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return isRepeatable(schema.unwrap() as z.ZodType);
  return schema instanceof z.ZodArray;
}

function check(decoded: Record<string, unknown>, schemas: Parameters): ParametersVerdict {
  const parsed = z.object(schemas as z.ZodRawShape).safeParse(decoded);
  return parsed.success ? { values: parsed.data } : { fault: faultsOf(parsed.error) };
}

/** As HTML forms and `URLSearchParams` write queries: a plus is a space. */
function formDecode(text: string): string | null {
  return percentDecode(text.replaceAll('+', ' '));
}

function percentDecode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
