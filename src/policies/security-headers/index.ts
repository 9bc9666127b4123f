/** `securityHeaders`: what browsers are told to be careful about, on every answer. */
import { HeaderEdits } from '../../http/header-edits.ts';
import { definePolicy } from '../../pipeline/policy.ts';
import { type SecurityHeadersOptions, securityHeadersSchema } from './schema.ts';

export const securityHeaders = definePolicy({
  name: 'securityHeaders',
  phase: 'answer',
  schema: securityHeadersSchema,
  create(options) {
    const transport = transportOf(options);
    const others = othersOf(options);
    const plain = editsOf(others);
    // RFC 6797 section 7.2: never over plain HTTP, where anybody could have written it.
    const secure = editsOf(transport === null ? others : [transport, ...others]);
    return {
      effect: effectOf(transport, others),
      onResponse(exchange) {
        exchange.responseEdits.append(exchange.scheme === 'https' ? secure : plain);
      },
    };
  },
});

type Field = readonly [name: string, value: string];

function transportOf({ strictTransportSecurity: options }: SecurityHeadersOptions): Field | null {
  if (options === false) return null;
  const { maxAge, includeSubDomains, preload } = options;
  const seconds = `max-age=${Math.floor(maxAge / 1000)}`;
  return [
    'Strict-Transport-Security',
    `${seconds}${includeSubDomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`,
  ];
}

function othersOf(options: SecurityHeadersOptions): Field[] {
  const fields: [string, string | false | undefined][] = [
    ['X-Content-Type-Options', options.contentTypeOptions && 'nosniff'],
    ['X-Frame-Options', options.frameOptions],
    ['Referrer-Policy', options.referrerPolicy],
    ['Content-Security-Policy', options.contentSecurityPolicy],
    ['Content-Security-Policy-Report-Only', options.contentSecurityPolicyReportOnly],
    ['Permissions-Policy', options.permissionsPolicy],
    ['Cross-Origin-Opener-Policy', options.crossOriginOpenerPolicy],
    ['Cross-Origin-Embedder-Policy', options.crossOriginEmbedderPolicy],
    ['Cross-Origin-Resource-Policy', options.crossOriginResourcePolicy],
  ];
  return fields.filter((field): field is [string, string] => typeof field[1] === 'string');
}

function editsOf(fields: readonly Field[]): HeaderEdits {
  const edits = new HeaderEdits();
  for (const [name, value] of fields) edits.set(name, value);
  return edits;
}

function effectOf(transport: Field | null, others: readonly Field[]): string {
  const names = others.map(([name]) => name);
  if (transport !== null) names.push(`${transport[0]} over TLS`);
  return names.length === 0 ? 'sets nothing' : `sets ${names.join(', ')}`;
}
