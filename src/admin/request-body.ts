/** Bodies of admin requests: which media types and how much a route takes, and reading no more than that. */
import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import type { ErrorCode } from '../base/errors.ts';
import { faultsOf } from './request-fault.ts';

/** Bytes that a body may have where its route says nothing else. */
const USUAL_LIMIT = 64 * 1024;

/** Levels that JSON may have: as many as a configuration. */
const DEEPEST = 64;

/** Bytes of a whole configuration. */
export const CONFIG_LIMIT = 16 * 1024 * 1024;

export const JSON_MEDIA_TYPE = 'application/json';

/** What people have called YAML before and after RFC 9512. */
export const YAML_MEDIA_TYPES: readonly string[] = ['application/yaml', 'application/x-yaml', 'text/yaml'];

/** What a route takes as its body. Never a media type that a web page may send anywhere without asking (a form, plain text). */
export interface BodyKind<B> {
  /** In lower case; the first is the one of examples. */
  readonly mediaTypes: readonly string[];
  /** In bytes. */
  readonly limit: number;
  readonly required: boolean;
  /** For the documentation. */
  readonly schema: z.ZodType | null;
  /** The value, or what is wrong with it. */
  parse(text: string, mediaType: string): { value: B } | { fault: string };
}

interface BodyOptions {
  readonly mediaTypes?: readonly string[];
  readonly limit?: number;
}

/** A JSON body that fits `schema`. */
export function jsonBody<S extends z.ZodType>(schema: S, options: BodyOptions = {}): BodyKind<z.output<S>> {
  return {
    mediaTypes: options.mediaTypes ?? ['application/json'],
    limit: options.limit ?? USUAL_LIMIT,
    required: true,
    schema,
    parse(text) {
      const { value, error } = parseJson(text);
      if (error !== null) return { fault: `The body is not JSON: ${error}.` };
      if (isDeep(value)) return { fault: `The body is nested deeper than ${DEEPEST} levels.` };
      const parsed = schema.safeParse(value);
      return parsed.success
        ? { value: parsed.data }
        : { fault: `The body is not as expected: ${faultsOf(parsed.error)}.` };
    },
  };
}

/** The same, which may also be left out. */
export function optionalJsonBody<S extends z.ZodType>(schema: S): BodyKind<z.output<S> | undefined> {
  return { ...jsonBody(schema), required: false };
}

/** Why a body is not taken. */
export interface BodyRefusal {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type BodyVerdict<B> = { readonly value: B | undefined } | { readonly refusal: BodyRefusal };

/** `onWanted` is called before the first byte is read: where a client waits to be asked for them (`Expect: 100-continue`). */
export async function takeBody<B>(
  request: IncomingMessage,
  kind: BodyKind<B> | undefined,
  onWanted: () => void,
): Promise<BodyVerdict<B>> {
  const declared = mediaTypeOf(request.headers['content-type']);
  if (!carriesBody(request)) return withoutBody(kind, declared);
  if (kind === undefined) return refuse('bad_request', 'This admin route takes no body.');
  if (declared === null || !kind.mediaTypes.includes(declared)) return unsupported(kind, 'Content-Type');
  if (request.headers['content-encoding'] !== undefined) return unsupported(kind, 'Content-Encoding');
  const tooLarge = refuse('payload_too_large', `The body may have at most ${kind.limit} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > kind.limit) return tooLarge;
  onWanted();
  const bytes = await readUpTo(request, kind.limit);
  if (bytes === 'aborted') return refuse('client_closed', 'The client left before its request was complete.');
  if (bytes === 'too-large') return tooLarge;
  if (bytes.length === 0) return withoutBody(kind, declared);
  const text = decode(bytes);
  if (text === null) return refuse('bad_request', 'The body is not UTF-8.');
  const parsed = kind.parse(text, declared);
  return 'fault' in parsed ? refuse('bad_request', parsed.fault) : parsed;
}

/** A web page can make a form post nothing: its media type still gives it away. */
function withoutBody<B>(kind: BodyKind<B> | undefined, declared: string | null): BodyVerdict<B> {
  if (declared !== null && !isStructured(declared)) {
    return refuse('unsupported_media_type', 'The admin listener takes nothing from forms: send no Content-Type here.');
  }
  if (kind?.required === true) return refuse('bad_request', 'This admin route needs a body.');
  return { value: undefined };
}

function isStructured(mediaType: string): boolean {
  return /[/+]json$/.test(mediaType) || YAML_MEDIA_TYPES.includes(mediaType);
}

function refuse(code: ErrorCode, detail: string): { refusal: BodyRefusal } {
  return { refusal: { code, detail } };
}

/** RFC 9110 section 15.5.16 has the answer say by `Accept` what would be taken. */
function unsupported<B>(kind: BodyKind<B>, field: string): { refusal: BodyRefusal } {
  const detail = `${field}: the body must be ${kind.mediaTypes.join(' or ')} in UTF-8, and not compressed.`;
  return { refusal: { code: 'unsupported_media_type', detail, headers: { Accept: kind.mediaTypes.join(', ') } } };
}

function carriesBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** In lower case, without parameters; of those only a charset of UTF-8 is taken. Empty when it cannot be read. */
function mediaTypeOf(field: string | undefined): string | null {
  if (field === undefined) return null;
  const [type, ...parameters] = field.toLowerCase().split(';');
  const known = parameters.every((parameter) => /^\s*(charset\s*=\s*"?utf-8"?\s*)?$/.test(parameter));
  return known ? type.trim() : '';
}

function readUpTo(request: IncomingMessage, limit: number): Promise<Buffer | 'too-large' | 'aborted'> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const finish = (result: Buffer | 'too-large' | 'aborted'): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).pause();
      resolve(result);
    };
    const onData = (piece: Buffer): void => {
      size += piece.length;
      if (size > limit) finish('too-large');
      else pieces.push(piece);
    };
    const onEnd = (): void => finish(Buffer.concat(pieces));
    const onClose = (): void => finish('aborted');
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

function decode(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Level by level: what comes after recurses, and has a stack that ends. */
function isDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true;
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []));
  }
  return false;
}

/** The value, or why the text is no JSON. */
export function parseJson(text: string): { value: unknown; error: null } | { value: null; error: string } {
  try {
    return { value: JSON.parse(text), error: null };
  } catch (error) {
    return { value: null, error: (error as Error).message };
  }
}
