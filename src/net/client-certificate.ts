/** Who a client of mutual TLS is, by the certificate that it showed and the gateway believed. */
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { alternativeNames, distinguishedName, validUntil } from '../base/certificate.ts';

export interface ClientCertificate {
  /** As RFC 4514 writes it, the narrowest part first: `CN=anna,O=Example,C=DE`. */
  readonly subject: string;
  /** In the same form. */
  readonly issuer: string;
  /** Subject alternative names with their kind: `DNS:a.example`, `URI:spiffe://example/a`, `email:a@example`, `IP:::1`. */
  readonly names: readonly string[];
  /** SHA-256 of the whole certificate, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
  /** Upper-case hexadecimal digits. */
  readonly serialNumber: string;
  /** Milliseconds since the Unix epoch. */
  readonly validTo: number;
}

/** Of the client at the other end of a socket; null without TLS, without a certificate, and where none is believed. */
export function clientCertificateOf(socket: Socket): ClientCertificate | null {
  const { authorized } = socket as Partial<TLSSocket>;
  // Set only by a server that asked for a certificate and judged it, in the handshake or in the one that is resumed.
  if (authorized !== true) return null;
  const certificate = (socket as TLSSocket).getPeerX509Certificate();
  return certificate === undefined ? null : describeCertificate(certificate);
}

function describeCertificate(certificate: X509Certificate): ClientCertificate {
  return {
    // A certificate may have no subject at all.
    subject: distinguishedName(certificate.subject ?? ''),
    issuer: distinguishedName(certificate.issuer ?? ''),
    names: alternativeNames(certificate).map(({ type, value }) => `${type === 'IP Address' ? 'IP' : type}:${value}`),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    serialNumber: certificate.serialNumber,
    validTo: validUntil(certificate),
  };
}
