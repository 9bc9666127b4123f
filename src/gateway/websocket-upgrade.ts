/** What an exchange that asks for a WebSocket has beside other exchanges: its handshake, its place, and its end. */
import type { ErrorCode } from '../base/errors.ts';
import type { TimerWheel } from '../base/timer-wheel.ts';
import { fieldByName } from '../http/fields.ts';
import type { ResponseParser } from '../http/response-parser.ts';
import { agreedRsv, answerFault, isVersionKnown, requestFault, VERSION } from '../http/websocket-handshake.ts';
import type { ClientStream, Tunnel } from '../net/stream.ts';
import { type RelayEnd, type RelayOwner, WebSocketRelay } from '../net/websocket-relay.ts';
import type { RouteSockets } from './web-sockets.ts';

/** What a route lets WebSockets do; times in milliseconds, sizes in bytes. */
export interface WebSocketRoute {
  readonly idleTimeout: number;
  readonly maxMessage: number;
  readonly sockets: RouteSockets;
}

/** Why a handshake is refused, with field lines for the answer. */
export interface HandshakeRefusal {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly lines: string;
}

/** What the log calls an end; nothing where both sides agreed on it or the gateway had its reasons. */
const ERROR_OF: Readonly<Record<RelayEnd, ErrorCode | ''>> = {
  closed: '',
  idle: '',
  drain: '',
  'client-fault': 'bad_request',
  'upstream-fault': 'upstream_invalid_response',
  'client-too-big': 'payload_too_large',
  'upstream-too-big': 'upstream_invalid_response',
  'client-gone': 'client_closed',
  'upstream-gone': 'upstream_reset',
};

/** Null when the request is a handshake that the gateway understands. */
export function refusalOf(stream: ClientStream): HandshakeRefusal | null {
  // Whoever speaks another version must be told which one is spoken, before anything else is found wrong (section 4.4).
  if (!isVersionKnown(stream.head)) {
    // HTTP/2 has no Upgrade to name (RFC 9113 section 8.6).
    const upgrade = stream.mustSwitch ? '' : 'Upgrade: websocket\r\nConnection: Upgrade\r\n';
    const lines = `Sec-WebSocket-Version: ${VERSION}\r\n${upgrade}`;
    return { code: 'upgrade_required', detail: `the only version of WebSocket spoken here is ${VERSION}`, lines };
  }
  const fault = requestFault(stream);
  return fault === null ? null : { code: 'bad_request', detail: fault, lines: '' };
}

export class WebSocketUpgrade {
  relay: WebSocketRelay | null = null;
  private readonly stream: ClientStream;
  private readonly route: WebSocketRoute;
  private rsv = 0;

  constructor(stream: ClientStream, route: WebSocketRoute) {
    this.stream = stream;
    this.route = route;
  }

  /** Takes a place among the route's; `release` gives it back. */
  reserve(then: (granted: boolean) => void): void {
    this.route.sockets.reserve(then);
  }

  release(): void {
    this.route.sockets.release();
  }

  /** Why the upstream's 101 cannot be passed on, or null. */
  judge(answer: ResponseParser): string | null {
    const { head } = this.stream;
    this.rsv = agreedRsv(answer);
    return answerFault(answer, head, fieldByName(head, 'sec-websocket-key') ?? '');
  }

  createRelay(client: Tunnel, upstream: Tunnel, wheel: TimerWheel, owner: RelayOwner): WebSocketRelay {
    const { idleTimeout, maxMessage } = this.route;
    this.relay = new WebSocketRelay(client, upstream, { idleTimeout, maxMessage, rsv: this.rsv }, wheel, owner);
    return this.relay;
  }
}

export function errorOf(relay: WebSocketRelay): ErrorCode | '' {
  return relay.end === null ? '' : ERROR_OF[relay.end];
}
