/** Checks of certificates, keys and authorities by what their files hold: whether they can be used, fit, and for how long. */
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { createSecureContext, rootCertificates } from 'node:tls';
import {
  hostNames,
  isSelfIssued,
  nameOfCertificate,
  parseCertificates,
  sniNames,
  validFrom,
  validUntil,
} from '../base/certificate.ts';
import type { FindingCode, Severity } from './finding.ts';
import type { Findings } from './findings.ts';
import { type ValuePath, valueAt } from './source-tree.ts';
import { contentAt, type TlsContents } from './tls-files.ts';

/** How long before its end a certificate is told of, in milliseconds. */
export const EXPIRES_SOON = 14 * 86_400_000;

/** Key purposes of RFC 5280 section 4.2.1.12. */
const FOR_SERVERS = '1.3.6.1.5.5.7.3.1';
const FOR_CLIENTS = '1.3.6.1.5.5.7.3.2';
const FOR_ANYTHING = '2.5.29.37.0';

const SMALLEST_RSA = 2048;

/** Protocols that say nothing of TLS. */
const PLAIN: ReadonlySet<unknown> = new Set(['http', 'h2c', 'grpc']);

export interface TlsCheckInput {
  /** The file as it was written. */
  readonly root: unknown;
  /** Where relative names begin. */
  readonly directory: string;
  readonly contents: TlsContents;
  readonly findings: Findings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

/** Runs every check of TLS on either side. Of files that could not be read nothing is said here. */
export function checkTls(input: TlsCheckInput): void {
  const check = new TlsCheck(input);
  for (const path of itemsAt(input.root, ['listeners'])) check.listener([...path, 'tls']);
  for (const path of itemsAt(input.root, ['services'])) check.service(path);
}

function itemsAt(root: unknown, path: ValuePath): ValuePath[] {
  const list = valueAt(root, path);
  return Array.isArray(list) ? list.map((_, index) => [...path, index]) : [];
}

class TlsCheck {
  private readonly input: TlsCheckInput;

  constructor(input: TlsCheckInput) {
    this.input = input;
  }

  listener(tls: ValuePath): void {
    const taken = new Map<string, string>();
    for (const [index, pair] of itemsAt(this.input.root, [...tls, 'certificates']).entries()) {
      const [own] = this.pair(pair, FOR_SERVERS);
      if (own !== undefined) this.names(own, pair, `certificates[${index}]`, taken);
    }
    this.authorities([...tls, 'clientCertificates', 'caFile']);
  }

  service(service: ValuePath): void {
    const { root } = this.input;
    const tls: ValuePath = [...service, 'tls'];
    const written = (key: string): unknown => valueAt(root, [...tls, key]);
    if (written('certFile') !== undefined || written('keyFile') !== undefined) this.pair(tls, FOR_CLIENTS);
    for (const [one, other] of [
      ['certFile', 'keyFile'],
      ['keyFile', 'certFile'],
    ]) {
      if (written(one) === undefined || written(other) !== undefined) continue;
      this.report('error', 'missing_key', [...tls, one], `has no \`${other}\` beside it`);
    }
    this.authorities([...tls, 'caFile']);
    if (isForNothing(valueAt(root, service))) {
      const message = '`tls` has no effect: no endpoint is `https://`, and `protocol` is none under TLS';
      this.input.findings.addReport({ severity: 'warning', code: 'no_effect', path: tls, part: 'key', message });
    } else if (written('verify') === false) {
      const message = 'whatever certificate the service shows is taken: anybody in between can stand in its place';
      this.report('warning', 'unverified_upstream', [...tls, 'verify'], message);
      if (written('caFile') !== undefined)
        this.report('warning', 'no_effect', [...tls, 'caFile'], 'has no effect, since nothing is verified');
    }
  }

  /** A certificate with its key. Answers the chain, the own certificate first; nothing where that cannot be used. */
  private pair(owner: ValuePath, purpose: string): X509Certificate[] {
    const certPath: ValuePath = [...owner, 'certFile'];
    const chain = this.certificates(certPath);
    const key = this.key([...owner, 'keyFile']);
    const [own] = chain;
    if (own === undefined) return [];
    this.validity(chain, certPath);
    this.order(chain, certPath);
    this.purpose(own, purpose, certPath);
    if (isWeak(own)) {
      const message = `the RSA key of the certificate has less than ${SMALLEST_RSA} bits, which TLS libraries refuse`;
      this.report('error', 'weak_key', certPath, message);
    } else if (key !== null) this.fit(chain, key, owner);
    return chain;
  }

  /** What the file of this place holds; reports when it is nothing to be used. */
  private certificates(path: ValuePath): X509Certificate[] {
    const text = this.contentAt(path);
    if (text === null) return [];
    let found: X509Certificate[] = [];
    let problem = text.includes('PRIVATE KEY-----')
      ? 'holds a private key and no certificate'
      : 'holds no certificate in PEM (`-----BEGIN CERTIFICATE-----`)';
    try {
      found = parseCertificates(text);
    } catch (error) {
      problem = (error as Error).message;
    }
    if (found.length === 0) this.report('error', 'invalid_certificate', path, problem);
    return found;
  }

  private key(path: ValuePath): KeyObject | null {
    const text = this.contentAt(path);
    if (text === null) return null;
    try {
      if (!isProtected(text)) return createPrivateKey(text);
    } catch {
      // Told below.
    }
    this.report('error', 'invalid_private_key', path, keyProblem(text));
    return null;
  }

  private fit(chain: readonly X509Certificate[], key: KeyObject, owner: ValuePath): void {
    const path: ValuePath = [...owner, 'keyFile'];
    if (!chain[0].checkPrivateKey(key)) {
      const message = chain.some((certificate) => certificate.checkPrivateKey(key))
        ? 'the key belongs to another certificate of `certFile` than the first, which must be the one that is shown'
        : 'the key does not belong to the certificate of `certFile`';
      this.report('error', 'key_mismatch', path, message);
      return;
    }
    try {
      // What the library itself would refuse when the configuration runs, for whatever reason.
      createSecureContext({
        cert: this.contentAt([...owner, 'certFile']) as string,
        key: this.contentAt(path) as string,
      });
    } catch (error) {
      const message = `cannot be used: ${reasonOf(error)}`;
      this.report('error', 'invalid_certificate', [...owner, 'certFile'], message);
    }
  }

  private validity(certificates: readonly X509Certificate[], path: ValuePath): void {
    const { now } = this.input;
    for (const certificate of certificates) {
      const name = shownName(certificate);
      const until = validUntil(certificate);
      if (until < now) {
        const message = `the certificate of ${name} expired on ${dayOf(until)}: clients refuse it`;
        this.report('warning', 'certificate_expired', path, message);
      } else if (validFrom(certificate) > now) {
        const message = `the certificate of ${name} is not valid before ${dayOf(validFrom(certificate))}`;
        this.report('warning', 'certificate_not_yet_valid', path, message);
      } else if (until - now < EXPIRES_SOON) {
        this.report('warning', 'certificate_expires_soon', path, expiresSoon(name, until, now));
      }
    }
  }

  /** Each certificate must be followed by that of its issuer (RFC 8446 section 4.4.2). */
  private order(chain: readonly X509Certificate[], path: ValuePath): void {
    for (let index = 1; index < chain.length; index++) {
      if (chain[index - 1].checkIssued(chain[index])) continue;
      const message = `the certificate of ${shownName(chain[index - 1])} is followed by that of ${shownName(chain[index])}, which did not issue it: the own one comes first, then each one’s issuer`;
      this.report('warning', 'certificate_chain', path, message);
      return;
    }
    const last = chain[chain.length - 1];
    // Authorities of one’s own, of which clients have been told, mostly name no place to fetch an issuer from.
    if (isSelfIssued(last) || !last.infoAccess?.includes('CA Issuers') || isKnownRoot(last.issuer)) return;
    const message = `the issuer of the certificate of ${shownName(last)} does not stand after it and is no root that clients know`;
    this.report('warning', 'certificate_chain', path, message);
  }

  private purpose(own: X509Certificate, purpose: string, path: ValuePath): void {
    const { keyUsage } = own;
    if (keyUsage === undefined || keyUsage.includes(purpose) || keyUsage.includes(FOR_ANYTHING)) return;
    const side = purpose === FOR_SERVERS ? 'servers' : 'clients';
    const message = `the certificate of ${shownName(own)} is not made for ${side}: the other side refuses it`;
    this.report('warning', 'certificate_purpose', path, message);
  }

  /** `taken`: names by SNI of the listener’s certificates before this one, and which has them. */
  private names(own: X509Certificate, pair: ValuePath, place: string, taken: Map<string, string>): void {
    const path: ValuePath = [...pair, 'certFile'];
    if (hostNames(own).length === 0) {
      const message = 'the certificate has no names of hosts (subjectAltName), and clients look nowhere else';
      this.report('warning', 'certificate_without_names', path, message);
    }
    const names = sniNames(own);
    const again = names.filter((name) => taken.has(name));
    if (again.length > 0) {
      const [first] = again;
      const all = again.length === 1 ? `\`${first}\`` : `\`${first}\` and ${again.length - 1} more of its names`;
      const message = `${all} stand in \`${taken.get(first)}\` too, which is shown to whoever asks for them`;
      this.report('warning', 'duplicate_certificate', path, message);
    }
    for (const name of names) if (!taken.has(name)) taken.set(name, place);
  }

  private authorities(path: ValuePath): void {
    const found = this.certificates(path);
    this.validity(found, path);
    for (const certificate of found) {
      if (certificate.ca || isSelfIssued(certificate)) continue;
      const message = `the certificate of ${shownName(certificate)} is no authority: nothing that another one signed is believed for it`;
      this.report('warning', 'not_an_authority', path, message);
    }
  }

  private contentAt(path: ValuePath): string | null {
    return contentAt(this.input.root, path, this.input.directory, this.input.contents);
  }

  private report(severity: Severity, code: FindingCode, path: ValuePath, message: string): void {
    this.input.findings.addReport({ severity, code, path, message });
  }
}

/** True for a service that says how TLS is to be spoken and has only endpoints to which it is not. */
function isForNothing(service: unknown): boolean {
  const endpoints = valueAt(service, ['endpoints']);
  const protocol = valueAt(service, ['protocol']);
  // What may register itself is not known; what is not plain HTTP is judged elsewhere.
  if (!Array.isArray(endpoints) || endpoints.length === 0 || valueAt(service, ['registration']) === true) return false;
  if (valueAt(service, ['tls']) === undefined || (protocol !== undefined && !PLAIN.has(protocol))) return false;
  return endpoints.every((endpoint) => String(valueAt(endpoint, ['url']) ?? endpoint).startsWith('http://'));
}

function expiresSoon(name: string, until: number, now: number): string {
  const days = Math.floor((until - now) / 86_400_000);
  const left = days === 0 ? 'within a day' : `in ${days} day${days === 1 ? '' : 's'}`;
  return `the certificate of ${name} expires ${left}, on ${dayOf(until)}`;
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** Names come from outside: what could break a line of text is taken out. */
function shownName(certificate: X509Certificate): string {
  return `\`${nameOfCertificate(certificate)
    .replace(/[\x00-\x1f\x7f-\x9f`]/g, '?')
    .slice(0, 100)}\``;
}

function isWeak(certificate: X509Certificate): boolean {
  try {
    const { asymmetricKeyDetails } = certificate.publicKey;
    return (asymmetricKeyDetails?.modulusLength ?? SMALLEST_RSA) < SMALLEST_RSA;
  } catch {
    // A kind of key that this runtime does not know: what the library says of it is told elsewhere.
    return false;
  }
}

function isProtected(key: string): boolean {
  return key.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || /^Proc-Type: *4, *ENCRYPTED/m.test(key);
}

function keyProblem(text: string): string {
  if (isProtected(text))
    return 'the key is protected by a passphrase, which nobody could type in: write it without one (`openssl pkey -in FILE -out FILE`)';
  if (text.includes('PRIVATE KEY-----')) return 'the private key in it is malformed';
  if (text.includes('-----BEGIN CERTIFICATE-----')) return 'holds a certificate and no private key';
  return 'holds no private key in PEM (`-----BEGIN PRIVATE KEY-----`)';
}

/** `error:0A00018F:SSL routines::ee key too small` without what only its library understands. */
function reasonOf(error: unknown): string {
  const { message } = error as Error;
  return message.slice(message.lastIndexOf(':') + 1).trim();
}

let roots: ReadonlySet<string> | null = null;

function isKnownRoot(subject: string): boolean {
  roots ??= new Set(rootCertificates.flatMap((pem) => parseCertificates(pem).map((root) => root.subject)));
  return roots.has(subject);
}
