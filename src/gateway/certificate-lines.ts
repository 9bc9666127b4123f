/** What an upstream is told of the client’s certificate: field lines that hold nothing which could break a head. */
import type { ClientCertificate } from '../net/client-certificate.ts';

/** Longest value, in characters: whoever signs certificates may write more into them than a head should carry. */
const LONGEST = 4096;

/**
 * `X-Client-Cert-Subject`, `-SAN` and `-Fingerprint`. Everything but printable ASCII, and the percent sign, is percent-encoded
 * as UTF-8; so are commas within a name, since commas part them. A value that is too long is left out, never cut: two
 * clients must not become one.
 */
export function certificateLines({ subject, names, fingerprint }: ClientCertificate): string {
  const all = names.map((name) => encoded(name).replaceAll(',', '%2C')).join(', ');
  return `${line('Subject', encoded(subject))}${line('SAN', all)}X-Client-Cert-Fingerprint: ${fingerprint}\r\n`;
}

function line(name: string, value: string): string {
  return value === '' || value.length > LONGEST ? '' : `X-Client-Cert-${name}: ${value}\r\n`;
}

function encoded(text: string): string {
  // Space at either end of a field is no part of it.
  return text.replace(/[^ -$&-~]|^ | $/gu, (letter) => (letter === ' ' ? '%20' : encodeLetter(letter)));
}

function encodeLetter(letter: string): string {
  let out = '';
  for (const byte of Buffer.from(letter)) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}
