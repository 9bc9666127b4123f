/** Certificates made in the test that needs them: an authority, and what it signs, written as DER by hand. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM texts. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** DNS names, with `*.` where wanted, IP addresses and URIs. The first one is the common name. */
  readonly names: readonly string[];
  /** For clients rather than servers. */
  readonly client?: boolean;
  /** How long it holds, from now or from `notBefore` on. Below zero: it has ended. */
  readonly days?: number;
  /** A day ago when not given, or before the end. */
  readonly notBefore?: Date;
}

export interface Authority {
  /** The authority's own certificate, as PEM. */
  readonly ca: string;
  issue(options: IssueOptions): IssuedCertificate;
  /** An authority below this one; give its `ca` after what it issued to have a chain. */
  intermediate(name: string): Authority;
}

const DAY = 24 * 60 * 60 * 1000;

const OID = {
  commonName: '550403',
  ecdsaWithSha256: '2a8648ce3d040302',
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  authorityKeyIdentifier: '551d23',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  clientAuth: '2b06010505070302',
};

/** Options of a client that trusts what the authority issued, whatever names are in it. */
export function trusting({ ca }: Authority): { ca: string; checkServerIdentity: () => undefined } {
  return { ca, checkServerIdentity: () => undefined };
}

/** Makes an authority that signs itself. */
export function createAuthority(name = 'Test authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { name, keys };
  return authority(issuer, certify(issuer, issuer, [-1, 3650], authorityExtensions(keys.publicKey, keys.publicKey)));
}

interface Party {
  readonly name: string;
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
}

function authority(issuer: Party, ca: string): Authority {
  return {
    ca,
    issue: ({ names, client = false, days = 30, notBefore }) => {
      const subject = { name: names[0] ?? '', keys: generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
      const now = notBefore === undefined ? 0 : (notBefore.getTime() - Date.now()) / DAY;
      const from = notBefore === undefined ? Math.min(0, days) - 1 : now;
      const extensions = [
        extension(OID.basicConstraints, sequence()),
        extension(OID.keyUsage, Buffer.from('03020780', 'hex')),
        extension(OID.extendedKeyUsage, sequence(oid(client ? OID.clientAuth : OID.serverAuth))),
        extension(OID.subjectAltName, sequence(...names.map(generalName))),
        ...keyIdentifiers(subject.keys.publicKey, issuer.keys.publicKey),
      ];
      return {
        cert: certify(subject, issuer, [from, now + days], extensions),
        key: subject.keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      };
    },
    intermediate: (name) => {
      const below = { name, keys: generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
      const extensions = authorityExtensions(below.keys.publicKey, issuer.keys.publicKey);
      return authority(below, certify(below, issuer, [-1, 3650], extensions));
    },
  };
}

/** A certificate as PEM. `days` are its first and its last, counted from now. */
function certify(
  subject: Party,
  issuer: Party,
  days: readonly [number, number],
  extensions: readonly Buffer[],
): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const [from, until] = days;
  const signed = sequence(
    der(0xa0, integer(2)),
    der(0x02, Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(from), time(until)),
    distinguishedName(subject.name),
    subject.keys.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', signed, issuer.keys.privateKey);
  return new X509Certificate(sequence(signed, algorithm, bits(signature))).toString();
}

function authorityExtensions(own: KeyObject, issuers: KeyObject): Buffer[] {
  return [
    extension(OID.basicConstraints, sequence(Buffer.from('0101ff', 'hex')), true),
    extension(OID.keyUsage, Buffer.from('03020106', 'hex'), true),
    ...keyIdentifiers(own, issuers),
  ];
}

function keyIdentifiers(own: KeyObject, issuers: KeyObject): Buffer[] {
  return [
    extension(OID.subjectKeyIdentifier, der(0x04, keyIdentifier(own))),
    extension(OID.authorityKeyIdentifier, sequence(der(0x80, keyIdentifier(issuers)))),
  ];
}

function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

/** RFC 5280 section 4.2.1.6. */
function generalName(name: string): Buffer {
  const version = isIP(name);
  if (version === 4) return der(0x87, Buffer.from(name.split('.').map(Number)));
  if (version === 6) return der(0x87, addressBytes(name));
  return der(name.includes('://') ? 0x86 : 0x82, Buffer.from(name, 'latin1'));
}

function addressBytes(address: string): Buffer {
  const [head, tail] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const last = tail ?? [];
  const groups = [...head, ...Array<string>(8 - head.length - last.length).fill('0'), ...last];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(name, 'utf8')))));
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [Buffer.from('0101ff', 'hex')] : []), der(0x04, value));
}

/** As GeneralizedTime from 2050 on and UTCTime before, RFC 5280 section 4.1.2.5. */
function time(days: number): Buffer {
  const digits = new Date(Date.now() + days * DAY).toISOString().replace(/[-:T]|\..*/g, '');
  const late = digits >= '2050';
  return der(late ? 0x18 : 0x17, Buffer.from(`${late ? digits : digits.slice(2)}Z`, 'latin1'));
}

function integer(value: number): Buffer {
  return der(0x02, Buffer.of(value));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, 'hex'));
}

function bits(content: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.of(0), content]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 0x100) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 0xff), content]);
}
