/** What the admin listener asks of the running gateway: plain data, and the places that may change it. */
import type { ConfigControl } from '../control/config-control.ts';
import type { EndpointRegistry } from '../control/endpoint-registry.ts';
import type { ExplainConnection, ExplainFault } from '../gateway/explain-connection.ts';
import type { ExplainRequest } from '../gateway/explain-request.ts';
import type { Explanation } from '../gateway/explanation.ts';
import type { KeyDesk } from '../gateway/key-desk.ts';
import type { HealthPicture, StatsPicture, StatusPicture } from '../gateway/picture.ts';
import type { EventLog } from '../observability/events.ts';

/** At once, or when the workers have told. */
export type Soon<T> = T | Promise<T>;

/** The gateway as admin sees it. */
export interface AdminSource {
  /** Of Portico. */
  readonly version: string;
  /** False before the listeners are open and while draining. */
  ready(): boolean;
  status(): Soon<StatusPicture>;
  health(): Soon<HealthPicture>;
  stats(): Soon<StatsPicture>;
  /** How the running configuration decides on a request; null before there is one. */
  explain(request: ExplainRequest): Soon<Explanation | null>;
  /** The same of a connection that is only relayed; a fault where there is no such listener. */
  explainConnection(connection: ExplainConnection): Soon<Explanation | ExplainFault | null>;
  readonly events: Pick<EventLog, 'follow' | 'full' | 'since'>;
  /** The Prometheus page, whole or in pieces that are written one by one. */
  metrics(): Soon<string | Iterable<string>>;
  /** The configuration, and its changes. None where a program runs the gateway with a configuration of its own making. */
  readonly control?: ConfigControl | undefined;
  readonly registry?: EndpointRegistry | undefined;
  /** API keys. */
  readonly keys?: Pick<KeyDesk, keyof KeyDesk> | undefined;
  /** Begins to drain, as a signal to stop does. */
  readonly drain?: (() => void) | undefined;
  /** Has the program on disk take over; answers its process id, or rejects with the reason why it could not. */
  readonly upgrade?: (() => Promise<number>) | undefined;
}
