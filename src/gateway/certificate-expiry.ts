/** How long the certificates that run still hold: for the metrics, and told in the log before it is too late. */
import { X509Certificate } from 'node:crypto';
import { nameOfCertificate, validFrom, validUntil } from '../base/certificate.ts';
import type { Clock, TimerHandle, Timers } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { EXPIRES_SOON } from '../config/check-tls.ts';
import type { GatewayConfig } from '../config/model.ts';
import type { CertificateSample } from '../observability/metrics/gateway-metrics.ts';

/** A certificate that is shown, by one listener to clients or to the endpoints of one service. */
interface ShownCertificate {
  readonly listener: string;
  readonly service: string;
  readonly name: string;
  readonly file: string;
  readonly fingerprint: string;
  /** Milliseconds since the Unix epoch. */
  readonly from: number;
  readonly until: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export interface CertificateExpiryDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

export class CertificateExpiry {
  private readonly deps: CertificateExpiryDeps;
  private shown: readonly ShownCertificate[] = [];
  /** When each was last told of, by who shows it. */
  private readonly told = new Map<string, number>();
  private timer: TimerHandle | null = null;

  constructor(deps: CertificateExpiryDeps) {
    this.deps = deps;
  }

  /** From now on it is about the certificates of `config`, those that end soon are told of at once, and once a day. */
  follow(config: GatewayConfig): void {
    this.shown = certificatesOf(config);
    const keys = new Set(this.shown.map(keyOf));
    for (const key of this.told.keys()) if (!keys.has(key)) this.told.delete(key);
    this.look();
  }

  /** Seconds until each one's end, below zero after it. Of those of one name the one that ends first. */
  *samples(): Iterable<CertificateSample> {
    const now = this.deps.clock.wall();
    const inOrder = [...this.shown].sort((a, b) => a.until - b.until);
    for (const { listener, service, name, until } of inOrder) {
      yield { listener, service, name, seconds: Math.floor((until - now) / 1000) };
    }
  }

  close(): void {
    if (this.timer !== null) this.deps.timers.clearTimeout(this.timer);
    this.timer = null;
  }

  private look(): void {
    const { timers } = this.deps;
    this.close();
    for (const certificate of this.shown) this.tell(certificate);
    if (this.shown.length > 0) this.timer = timers.setTimeout(() => this.look(), HOUR);
  }

  private tell(certificate: ShownCertificate): void {
    const { clock, logger } = this.deps;
    const { listener, service, name, file, from, until } = certificate;
    const now = clock.wall();
    if (now >= from && until - now >= EXPIRES_SOON) return;
    const key = keyOf(certificate);
    const before = this.told.get(key);
    if (before !== undefined && now - before < DAY) return;
    this.told.set(key, now);
    const owner = listener === '' ? { service } : { listener };
    const fields = { ...owner, name, file };
    if (until < now) logger.warn('a certificate has expired', { ...fields, expired: isoOf(until) });
    else if (now < from) logger.warn('a certificate is not valid yet', { ...fields, valid_from: isoOf(from) });
    else {
      const days = Math.floor((until - now) / DAY);
      logger.warn('a certificate expires soon', { ...fields, expires: isoOf(until), days_left: days });
    }
  }
}

function keyOf({ listener, service, file, fingerprint }: ShownCertificate): string {
  return JSON.stringify([listener, service, file, fingerprint]);
}

function isoOf(time: number): string {
  return new Date(time).toISOString();
}

function certificatesOf({ listeners, services }: GatewayConfig): ShownCertificate[] {
  const shown: ShownCertificate[] = [];
  for (const { name, tls } of listeners) {
    for (const { cert, certFile } of tls?.certificates ?? []) shown.push(shownBy(name, '', certFile, cert));
  }
  for (const { name, tls } of services) {
    if (tls?.cert !== undefined) shown.push(shownBy('', name, tls.certFile ?? '', tls.cert));
  }
  return shown;
}

function shownBy(listener: string, service: string, file: string, pem: string): ShownCertificate {
  const certificate = new X509Certificate(pem);
  const name = nameOfCertificate(certificate);
  const fingerprint = certificate.fingerprint256;
  return { listener, service, name, file, fingerprint, from: validFrom(certificate), until: validUntil(certificate) };
}
