/** The audit trail of a process, which a reload may open, move or turn off. */
import type { Clock } from '../base/clock.ts';
import { ERRORS } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { GatewayConfig } from '../config/model.ts';
import { type AuditActor, type AuditEvent, type AuditTrail, openAuditTrail } from '../observability/audit-trail.ts';
import type { PolicyExchange, Reply } from '../pipeline/policy.ts';
import type { PreparedState } from './gateway-state.ts';

export class Audit {
  private readonly deps: { readonly clock: Clock; readonly logger: Logger };
  private trail: AuditTrail | null = null;
  private file: string | null = null;

  constructor(deps: { readonly clock: Clock; readonly logger: Logger }) {
    this.deps = deps;
  }

  /** Throws the system's error when the file cannot be opened. */
  prepare({ logging: { audit } }: Pick<GatewayConfig, 'logging'>): PreparedState {
    const file = audit === false ? null : audit.file;
    if (file === this.file) return { commit: () => {}, discard: () => {} };
    const opened = file === null ? null : openAuditTrail(file, this.deps);
    return {
      commit: () => {
        void this.trail?.close();
        this.trail = opened;
        this.file = file;
      },
      discard: () => void opened?.close(),
    };
  }

  record(event: AuditEvent): void {
    this.trail?.record(event);
  }

  /** What a policy refused, and why. */
  recordRefusal(exchange: PolicyExchange, { code, status, reason = '' }: Reply): void {
    if (this.trail === null) return;
    const { routeName, clientAddress, requestId, method, host, path } = exchange;
    this.trail.record({
      action: 'request',
      outcome: 'refused',
      target: routeName,
      status: code === undefined ? status : ERRORS[code].status,
      code: code ?? '',
      reason,
      client: clientAddress,
      requestId,
      who: actorOf(exchange),
      method,
      host,
      path,
    });
  }

  reopen(): void {
    this.trail?.reopen();
  }

  async close(within?: number): Promise<void> {
    await this.trail?.close(within);
    this.trail = null;
    this.file = null;
  }
}

function actorOf({ identity, clientCertificate }: PolicyExchange): AuditActor | null {
  if (identity !== null) {
    const { kind, subject, consumer, tier, credential } = identity;
    return { kind, subject, consumer, tier, credential };
  }
  if (clientCertificate === null) return null;
  return { kind: 'certificate', subject: clientCertificate.subject, credential: clientCertificate.fingerprint };
}
