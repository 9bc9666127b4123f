/** Hears what other gateways change in a database: one connection that listens, made again whenever it is lost. */
import type { Client } from 'pg';
import type { TimerHandle, Timers } from '../../base/clock.ts';
import { isKeyId } from './key-text.ts';

export interface PostgresEarDeps {
  readonly url: string;
  readonly timers: Timers;
  readonly channel: string;
  /** The id of what changed; null where something may have been missed. */
  readonly onChange: (id: string | null) => void;
}

/** Milliseconds for a connection; and between two tries, doubled by each one that fails. */
const CONNECT = 2000;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 5000;

export class PostgresEar {
  private readonly deps: PostgresEarDeps;
  private client: Client | null = null;
  private timer: TimerHandle | null = null;
  private pause = FIRST_PAUSE;
  private begun = false;
  private closed = false;

  constructor(deps: PostgresEarDeps) {
    this.deps = deps;
  }

  /** Calls after the first do nothing. */
  begin(): void {
    if (this.begun || this.closed) return;
    this.begun = true;
    void this.listen();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.deps.timers.clearTimeout(this.timer);
    const { client } = this;
    this.client = null;
    await client?.end().catch(() => {});
  }

  private async listen(): Promise<void> {
    const { Client } = await import('pg');
    if (this.closed) return;
    const { url, channel, onChange } = this.deps;
    const client = new Client({
      connectionString: url,
      connectionTimeoutMillis: CONNECT,
      keepAlive: true,
      application_name: 'portico',
    });
    this.client = client;
    client.on('error', () => this.onLost(client));
    client.on('end', () => this.onLost(client));
    client.on('notification', ({ payload = '' }) => onChange(isKeyId(payload) ? payload : null));
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
    } catch {
      return this.onLost(client);
    }
    this.pause = FIRST_PAUSE;
    // The connection alone is no reason for the process to go on.
    (client as Client & { unref(): void }).unref();
    // What was said before, nobody heard.
    onChange(null);
  }

  private onLost(client: Client): void {
    if (this.closed || this.client !== client) return;
    this.client = null;
    client.end().catch(() => {});
    this.timer = this.deps.timers.setTimeout(() => void this.listen(), this.pause);
    this.pause = Math.min(LONGEST_PAUSE, this.pause * 2);
  }
}
