/** X.509 certificates as values: read from PEM, the names inside, and how people call them. */
import { X509Certificate } from 'node:crypto';

const BLOCK = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]*(-----END \1-----)?/g;

/**
 * The certificates of a PEM text in their order, none when it holds none. Throws an `Error` in words for people when one of
 * them cannot be read.
 */
export function parseCertificates(pem: string): X509Certificate[] {
  return [...pem.matchAll(BLOCK)].map(([block, , end], index) => {
    if (end === undefined) throw new Error(`certificate ${index + 1} in it is cut short`);
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error(`certificate ${index + 1} in it is malformed`);
    }
  });
}

/** One of the names that a certificate is for: `DNS`, `IP Address`, `URI`, `email` and rarer ones. */
export interface AlternativeName {
  readonly type: string;
  readonly value: string;
}

/** The subject alternative names in their order. */
export function alternativeNames({ subjectAltName }: Pick<X509Certificate, 'subjectAltName'>): AlternativeName[] {
  const names: AlternativeName[] = [];
  let rest = subjectAltName ?? '';
  while (rest !== '') {
    const colon = rest.indexOf(':');
    if (colon < 0) break;
    const type = rest.slice(0, colon);
    rest = rest.slice(colon + 1);
    // A value that a comma or a quote would make ambiguous is written as a JSON string.
    const quoted = /^"(?:[^"\\]|\\.)*"/.exec(rest)?.[0];
    const end = quoted === undefined ? rest.indexOf(', ') : quoted.length;
    const written = end < 0 ? rest : rest.slice(0, end);
    names.push({ type, value: quoted === undefined ? written : unquoted(quoted) });
    rest = end < 0 ? '' : rest.slice(end).replace(/^, /, '');
  }
  return names;
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.slice(1, -1);
  }
}

/** Names of hosts, lower case: DNS names, wildcards among them, and addresses. */
export function hostNames(certificate: Pick<X509Certificate, 'subjectAltName'>): string[] {
  return alternativeNames(certificate)
    .filter(({ type }) => type === 'DNS' || type === 'IP Address')
    .map(({ value }) => value.toLowerCase());
}

/**
 * Names that a client may ask for by SNI, lower case, wildcards as `*.example.com`. Addresses are none (RFC 6066 section 3). Only
 * where there are no alternative names is the subject asked: RFC 9525 has done away with it, old certificates have not.
 */
export function sniNames(certificate: Pick<X509Certificate, 'subjectAltName' | 'subject'>): string[] {
  const names = alternativeNames(certificate).filter(({ type }) => type === 'DNS');
  const common = certificate.subjectAltName === undefined ? commonName(certificate) : undefined;
  return (common === undefined ? names.map(({ value }) => value) : [common]).map((name) => name.toLowerCase());
}

/** A certificate may have no subject at all, or one without it. */
function commonName({ subject }: Pick<X509Certificate, 'subject'>): string | undefined {
  return /^CN=(.+)$/m.exec(subject ?? '')?.[1];
}

/**
 * A name of RFC 4514 from what the runtime gives, which has one relative name a line, the widest first: `CN=a,O=b`. Special
 * characters in values are escaped already.
 */
export function distinguishedName(lines: string): string {
  return lines
    .split('\n')
    .map((line) => line.replaceAll(' + ', '+'))
    .reverse()
    .join(',');
}

/** What a certificate is called where there is room for one name: the first host, else the common name, else its subject. */
export function nameOfCertificate(certificate: Pick<X509Certificate, 'subjectAltName' | 'subject'>): string {
  const names = alternativeNames(certificate);
  const first = names.find(({ type }) => type === 'DNS') ?? names[0];
  if (first !== undefined) return first.value;
  return commonName(certificate) ?? distinguishedName(certificate.subject ?? '');
}

/** Milliseconds since the Unix epoch. */
export function validFrom({ validFrom }: Pick<X509Certificate, 'validFrom'>): number {
  return Date.parse(validFrom);
}

/** Milliseconds since the Unix epoch. */
export function validUntil({ validTo }: Pick<X509Certificate, 'validTo'>): number {
  return Date.parse(validTo);
}

/** True for a certificate that names itself as its issuer: a root, or one that stands alone. */
export function isSelfIssued({ subject, issuer }: Pick<X509Certificate, 'subject' | 'issuer'>): boolean {
  return subject === issuer;
}
