/** What the admin listener asks of the running gateway: plain data, and the places that may change it. */
import type { ConfigControl } from '../control/config-control.ts';
import type { EndpointRegistry } from '../control/endpoint-registry.ts';
import type { HealthPicture, StatusPicture } from '../gateway/picture.ts';

/** At once, or when the workers have told. */
export type Soon<T> = T | Promise<T>;

/** The gateway as admin sees it. */
export interface AdminSource {
  /** False before the listeners are open and while draining. */
  ready(): boolean;
  status(): Soon<StatusPicture>;
  health(): Soon<HealthPicture>;
  /** The Prometheus page, whole or in pieces that are written one by one. */
  metrics(): Soon<string | Iterable<string>>;
  /** The configuration, and its changes. None where a program runs the gateway with a configuration of its own making. */
  readonly control?: ConfigControl | undefined;
  readonly registry?: EndpointRegistry | undefined;
  /** Begins to drain, as a signal to stop does. */
  readonly drain?: (() => void) | undefined;
}
