/** The audit trail: one line for each refusal and each change by operators, and never a credential. */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import { asciiJson } from './json-string.ts';
import { openLineWriter } from './line-writer.ts';

/** Who did something, as far as it is known. */
export interface AuditActor {
  /** How they showed who they are: a policy's name, or `admin`. */
  readonly kind: string;
  readonly subject?: string;
  readonly consumer?: string | null;
  readonly tier?: string | null;
  /** The id of the key or token; never its secret. */
  readonly credential?: string;
}

export interface AuditEvent {
  /** What happened: `refused`, or the operation of the admin API. */
  readonly action: string;
  /** What it was done to: a route, a path of the admin API. */
  readonly target: string;
  /** `refused`, `done` or `failed`. */
  readonly outcome: 'refused' | 'done' | 'failed';
  readonly status: number;
  readonly code: string;
  /** Why; for operators. */
  readonly reason: string;
  readonly client: string;
  readonly requestId: string;
  readonly who: AuditActor | null;
  readonly method: string;
  readonly host: string;
  /** Without the query, which may hold credentials. */
  readonly path: string;
}

export interface AuditTrail {
  /** Never blocks and never throws. */
  record(event: AuditEvent): void;
  /** Opens the file anew, for log rotation. */
  reopen(): void;
  close(within?: number): Promise<void>;
}

/** Longest text of one member of a line: what clients send may be long. */
const LONGEST = 1024;

/** Opens the trail; throws the system's error when its file cannot be opened. */
export function openAuditTrail(file: string, deps: { clock: Clock; logger: Logger }): AuditTrail {
  const writer = openLineWriter(file, deps.logger);
  return {
    record: (event) => writer.write(auditLine(event, deps.clock.wall())),
    reopen: () => writer.reopen(),
    close: (within) => writer.close(within),
  };
}

/** One line with its line feed, in US-ASCII. `wall` is milliseconds since 1970. */
function auditLine(event: AuditEvent, wall: number): string {
  const { action, target, outcome, status, code, reason, client, requestId, who, method, host, path } = event;
  const line = {
    time: new Date(wall).toISOString(),
    level: 'info',
    msg: 'audit',
    action,
    outcome,
    target,
    who,
    client,
    reason,
    status,
    code: code === '' ? null : code,
    request_id: requestId,
    method,
    host,
    path,
  };
  const shorten = (_: string, value: unknown): unknown =>
    typeof value === 'string' && value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value;
  return `${asciiJson(JSON.stringify(line, shorten))}\n`;
}
