/** Schemas of the single values that many keys share. Messages never quote the value: it may be a secret. */
import { z } from 'zod';
import { type Address, AddressError, parseAddress } from '../base/address.ts';
import { DurationError, formatDuration, parseDuration } from '../base/duration.ts';
import { parseCidr } from '../base/ip.ts';
import { PatternError, parsePattern } from '../base/pattern.ts';
import { formatSize, parseSize, SizeError } from '../base/size.ts';

const DAY = 86_400_000;

/** A duration between `min` and `max` milliseconds, written with its unit; milliseconds after parsing. */
export function duration(min = 0, max = DAY) {
  return z
    .string({ error: 'expected a duration with its unit, such as 250ms, 10s, 5m or 1h' })
    .transform((text, context): number => {
      try {
        const milliseconds = parseDuration(text);
        if (milliseconds >= min && milliseconds <= max) return milliseconds;
        return refuse(context, `must be between ${formatDuration(min)} and ${formatDuration(max)}`);
      } catch (error) {
        if (error instanceof DurationError) return refuse(context, error.message);
        throw error;
      }
    })
    .meta({
      pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$',
      kind: 'duration',
      range: rangeText(min, max, formatDuration),
    });
}

/** A size between `min` and `max` bytes, a plain number of bytes or with a binary unit; bytes after parsing. */
export function size(min: number, max: number) {
  return z
    .union([z.string(), z.number()], { error: 'expected a size such as 512B, 64KiB or 10MiB' })
    .transform((value, context): number => {
      try {
        const bytes = parseSize(String(value));
        if (bytes >= min && bytes <= max) return bytes;
        return refuse(context, `must be between ${formatSize(min)} and ${formatSize(max)}`);
      } catch (error) {
        if (error instanceof SizeError) return refuse(context, error.message);
        throw error;
      }
    })
    .meta({ kind: 'size', range: rangeText(min, max, formatSize) });
}

/** A whole number between `min` and `max`, both included. */
export function wholeNumber(min: number, max: number) {
  const message = `must be a whole number between ${min} and ${max}`;
  return z
    .number({ error: `expected a whole number between ${min} and ${max}` })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: message })
    .meta({ kind: 'whole number', type: 'integer', minimum: min, maximum: max, range: `${min} to ${max}` });
}

/** A name by which files, logs, metrics and the admin interface know a thing. */
export const nameSchema = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}$/, {
  error: 'must begin with a letter or digit and hold only letters, digits and _ . : @ - (128 at most)',
});

/** Where a listener stands; `host` is empty for all interfaces, port 0 takes a free one. */
export const addressSchema = z.string().transform((text, context): Address => {
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof AddressError) return refuse(context, error.message);
    throw error;
  }
});

/** An address range, or one address. */
export const cidrSchema = z.string().refine((text) => parseCidr(text) !== null, {
  error: 'expected an address or a range such as 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32',
});

/** A regular expression in RE2 syntax, which matches in linear time. */
export const patternSchema = z
  .string()
  .min(1, { error: 'an empty regular expression matches everything: leave it out' })
  .check((context) => {
    try {
      parsePattern(context.value);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      context.issues.push({
        code: 'custom',
        input: context.value,
        message: `cannot be used: ${error.message.replace(/^error parsing regexp: /, 'not a regular expression, ')}`,
        params: { finding: 'invalid_pattern' },
      });
    }
  })
  .meta({ kind: 'regular expression' });

/** Records a refusal on the value being transformed; `known` are the names among which the nearest is suggested. */
export function refuse(context: z.core.$RefinementCtx, message: string, known?: readonly string[]): never {
  const params = known === undefined ? {} : { finding: 'unknown_name', known };
  context.addIssue({ code: 'custom', message, params });
  return z.NEVER;
}

function rangeText(min: number, max: number, format: (value: number) => string): string {
  return `${format(min)} to ${format(max)}`;
}
