/** What is wrong, or odd, in a configuration, and where. */
import { didYouMean } from '../base/nearest.ts';

export type Severity = 'error' | 'warning';

/** What each code means. Codes are part of the public interface: they are never renamed and never reused. */
export const findingCodes = {
  unreadable_file: 'The file does not exist, may not be read, is a directory or is too large.',
  not_utf8: 'The file is not in UTF-8.',
  empty_file: 'The file holds nothing.',
  file_too_large: 'The file holds too many values after its aliases are followed.',
  too_deep: 'Maps and lists are nested too deeply.',
  yaml_syntax: 'The text is not YAML.',
  json_syntax: 'The file is called JSON but its text is not.',
  module_failed: 'The TypeScript file could not be run, or has no default export.',
  duplicate_key: 'A key stands twice in one map.',
  unresolved_reference: 'A `${...}` has no value and no default, or is not one of the known forms.',
  unknown_key: 'No such key may stand here.',
  missing_key: 'A required key is not there.',
  invalid_key: 'A key in a map of free names, such as headers, is malformed.',
  invalid_type: 'The value is of another kind: a list in place of a map, a number in place of a string.',
  invalid_value: 'The value is malformed or out of its range.',
  invalid_pattern: 'The regular expression is malformed, or no linear-time engine can match it.',
  invalid_expression:
    'The CEL expression is malformed, names what is not there, or gives what cannot be used in its place.',
  unknown_name: 'The value is none of the known names.',
  unknown_policy: 'No policy has this name.',
  unknown_service: 'No service has this name.',
  unknown_tier: 'No tier has this name.',
  ungranted_permission: 'No role, and no key in the file, holds the permission: only credentials from elsewhere can.',
  unknown_caller: 'A policy asks who calls, and none of the route finds out: it answers 401 to everybody.',
  unknown_role: 'No role has this name.',
  unknown_listener: 'No listener has this name.',
  unknown_parameter: 'A rewrite uses a path parameter or a group that the route does not have.',
  duplicate_name: 'Two listeners, services or routes have one name.',
  duplicate_address: 'Two listeners have one address.',
  duplicate_header: 'One header stands twice in a map, in different case.',
  conflicting_keys: 'Keys exclude or contradict each other.',
  admin_without_token: 'The admin listener can be reached from elsewhere and has no token.',
  unused_service: 'No route uses the service.',
  unserved_listener: 'No route takes the connections of the listener.',
  duplicate_endpoint: 'One endpoint stands twice in a service.',
  health_timeout_too_long: 'A health check may take longer than the time between two.',
  no_effect: 'The key changes nothing here.',
  retry_single_endpoint: 'Retries have no other endpoint to go to.',
  try_timeout_too_long: 'One try may use up the time of the whole request.',
  method_case: 'A method is written in small letters, in which no client sends it.',
  trusts_everyone: 'Every client may claim any address.',
  weak_secret: 'The secret of a policy is short, or no secret at all.',
  insecure_url: 'What is fetched there decides who may call, and comes without TLS.',
  weak_token: 'The admin token is short.',
  invalid_certificate: 'The file holds no certificate that can be read and used.',
  invalid_private_key: 'The file holds no private key that can be read, or one that is protected by a passphrase.',
  invalid_public_key: 'The file holds no public key that can be read, or a private one.',
  key_mismatch: 'The private key does not belong to the certificate.',
  weak_key: 'The key of the certificate is so short that TLS libraries refuse it.',
  certificate_expired: 'The certificate has expired. The gateway runs with it all the same.',
  certificate_not_yet_valid: 'The certificate is not valid yet.',
  certificate_expires_soon: 'The certificate expires within 14 days.',
  certificate_chain: 'Issuers are missing after the certificate, or stand there in another order.',
  certificate_without_names: 'The certificate of a listener names no host.',
  certificate_purpose: 'The certificate is not made for the side on which it is shown.',
  duplicate_certificate: 'Two certificates of a listener are for one name: only the first is shown for it.',
  not_an_authority: 'The file of authorities holds a certificate that may not sign others.',
  unverified_upstream: 'The certificate of a service is not looked at.',
  drain_exceeds_timeout: 'The drain is longer than the whole shutdown may take.',
} as const;

export type FindingCode = keyof typeof findingCodes;

/** One finding. `line` and `column` begin at 1. `path` is like `routes[2].match.path`, empty for the whole file. */
export interface Finding {
  file: string;
  line: number;
  column: number;
  severity: Severity;
  /** One of `findingCodes`, or of what other rooms find in a configuration. */
  code: string;
  message: string;
  path: string;
  /** What to write instead, where there is a likely answer. */
  suggestion?: string;
}

/** For people, one finding a line: `FILE:LINE:COLUMN: error CODE: message`, and what was likely meant. */
export function textOfFindings(findings: readonly Finding[]): string {
  return findings
    .map(({ file, line, column, severity, code, message, suggestion }) => {
      return `${file}:${line}:${column}: ${severity} ${code}: ${message}${didYouMean(suggestion)}\n`;
    })
    .join('');
}
