/** The contracts between a connection and whoever handles its requests and answers; HTTP/1 is one implementation. */
import type { Socket } from 'node:net';
import type { ErrorCode } from '../base/errors.ts';
import type { HeadParser } from '../http/head-parser.ts';
import type { ResponseParser } from '../http/response-parser.ts';
import type { Target } from '../http/target.ts';
import type { ClientCertificate } from './client-certificate.ts';

/** What is the same for all requests of a listener. */
export interface ListenerInfo {
  readonly name: string;
  scheme: 'http' | 'https';
  /** The port that clients reach, after port 0 became a real one. */
  port: number;
}

/** Why a connection ended before it could carry a request, or because of how it carried them. */
export type ConnectionFault = 'tls_handshake' | 'http2_protocol' | 'http2_flood' | 'proxy_header' | 'client_hello';

/** Takes requests as they begin. */
export interface RequestHandler {
  /** A well-formed head has come. The handler sets `stream.sink` when it wants the body. */
  onRequest(stream: ClientStream): void;
  /** The head is refused: the handler answers, with what the stream could read of it; the connection closes after. */
  onRefused(stream: ClientStream, code: ErrorCode, detail: string): void;
  /** A connection was ended for a fault of its peer. `reason` is short, and for operators. */
  onConnectionFault(listener: ListenerInfo, remoteAddress: string, fault: ConnectionFault, reason: string): void;
}

/** A listener whose connections are relayed as they are. */
export interface RawListener {
  readonly info: ListenerInfo;
  readonly mode: 'tcp' | 'tls-passthrough';
  /** For a complete ClientHello, in milliseconds. */
  readonly helloTimeout: number;
}

/** Takes connections whose bytes are only relayed. */
export interface RawHandler {
  /**
   * `socket` is paused; what was read from it was put back. `onClosed` is told when the connection is over, not before this
   * returns.
   */
  onRawConnection(socket: Socket, listener: RawListener, onClosed: (link: ClientLink) => void): ClientLink;
}

/** A connection of a client, as its listener knows it. */
export interface ClientLink {
  /** Ends it when it is idle, or with the answers under way. */
  close(): void;
  /** Ends it whatever it does. */
  destroy(): void;
}

/** Takes what comes after the head of a request. */
export interface RequestSink {
  /** A view, valid during the call only. */
  onRequestBody(bytes: Buffer, start: number, end: number): void;
  /** `trailers` are field lines, `''` when there are none. */
  onRequestEnd(trailers: string): void;
  /** The body is malformed, too large, or stalled. Nothing more comes. */
  onRequestFault(code: ErrorCode, detail: string): void;
  /** The client is gone: nothing can be answered. */
  onClientGone(): void;
  /** The client took what was written: more may be. */
  onClientDrain(): void;
}

/** `writeHead` lengths below zero. */
export const LENGTH_UNKNOWN = -1;

/** One request of a client and the way to answer it. */
export interface ClientStream {
  sink: RequestSink | null;
  readonly listener: ListenerInfo;
  /** What the handler knows of the connection, kept between its requests. */
  memo: unknown;
  /** Address of the peer of the connection, IPv4-mapped addresses as IPv4. */
  readonly remoteAddress: string;
  /** What the client showed under mutual TLS; null where it showed nothing. */
  readonly clientCertificate: ClientCertificate | null;
  readonly head: HeadParser;
  readonly method: string;
  readonly target: Target;
  /** The target as received. */
  readonly rawTarget: string;
  /** `Host` as received, or the authority of an absolute target; `''` when HTTP/1.0 had none. */
  readonly authority: string;
  /** The authority's host, lower case, without port. */
  readonly host: string;
  /** 0 or 1, of HTTP/1.x; 1 for later versions, which can do all that 1.1 can. */
  readonly minor: number;
  /** `HTTP/1.1`, as logs have it. */
  readonly protocol: string;
  /** Bytes, or `CHUNKED`. */
  readonly bodyLength: number;
  /** True when the client waits for `100 Continue`. */
  readonly expectsContinue: boolean;
  /** Bytes of body taken so far. */
  readonly bodyReceived: number;
  /** The request is for another protocol and makes no sense as a plain one: an extended CONNECT (RFC 8441). */
  readonly mustSwitch: boolean;
  /** Writes an interim answer (1xx); ignored for HTTP/1.0. `fields` are whole lines. */
  writeInformational(status: number, fields: string): void;
  /**
   * Begins the answer. `fields` are whole lines, with `Content-Length` where `length` is known; connection and coding
   * fields are the stream's own. Nothing is on the wire before `flush` or `end`, or a body too large to wait.
   */
  writeHead(status: number, fields: string, length: number): void;
  /** False when the client should be given no more until `onClientDrain`. The bytes are copied where they must be. */
  writeBody(bytes: Buffer, start: number, end: number): boolean;
  flush(): void;
  /** Ends the answer. `trailers` are field lines and only sent where the framing can carry them. */
  end(trailers: string): void;
  /** Cuts the connection so that the client can see it. */
  abort(): void;
  pauseBody(): void;
  resumeBody(): void;
  /** A body that stalls is no fault: it is one half of a conversation. */
  bodyMayRest(): void;
  /** The connection is not to be used again after this answer. */
  closeAfter(): void;
  /**
   * Grants the upgrade to `protocol` (RFC 9110 section 7.8) and gives HTTP up: what the client sends from now on, or has
   * sent already, goes through the tunnel. `fields` are whole lines; those that say the protocol are the stream's own. Only
   * for a complete request without a body.
   */
  switchProtocols(protocol: string, fields: string): Tunnel;
}

/** Bytes both ways between the gateway and a peer that no longer speak HTTP. */
export interface Tunnel {
  /** Begins to give what comes, also during this call: first what has come already. Once. */
  open(sink: TunnelSink): void;
  /** The bytes are copied where they must be. False when no more should come before `onTunnelDrain`. */
  write(bytes: Buffer, start: number, end: number): boolean;
  pause(): void;
  /** Harmless when it is not paused. */
  resume(): void;
  /** Ends this side's direction after what was written. */
  end(): void;
  /** Ends both directions at once. */
  destroy(): void;
}

/** Takes what comes through tunnels; it may be the sink of several. */
export interface TunnelSink {
  /** A view, valid during the call only. */
  onTunnelBytes(tunnel: Tunnel, bytes: Buffer, start: number, end: number): void;
  onTunnelDrain(tunnel: Tunnel): void;
  /** The peer sends no more. */
  onTunnelEnd(tunnel: Tunnel): void;
  /** Both directions are over, in whatever way; told once, last, and also where no end was. */
  onTunnelClosed(tunnel: Tunnel): void;
}

/** Why an upstream request failed. */
export interface UpstreamFailure {
  readonly code: ErrorCode;
  readonly detail: string;
  /** True when the connection had served before and closed without a byte of answer: it was stale. */
  readonly stale: boolean;
  /** True when nobody has processed the request, and said so: it may be sent again whatever its method. */
  readonly unprocessed: boolean;
}

/** Takes the answer of an upstream. Views are valid during the call only. */
export interface ResponseSink {
  onInformational(parser: ResponseParser): void;
  /** `length` in bytes, or below zero when unknown. 0 for answers without a body. */
  onResponseHead(parser: ResponseParser, length: number): void;
  onResponseBody(bytes: Buffer, start: number, end: number): void;
  onResponseEnd(trailers: string): void;
  onUpstreamFailed(failure: UpstreamFailure): void;
  onUpstreamDrain(): void;
  /** All that one read brought has been given. */
  onReadEnd(): void;
}

/** Takes the answer to a request that asks for another protocol. */
export interface UpgradeSink extends ResponseSink {
  /**
   * The upstream answers 101. The sink checks the head, and during the call detaches the connection, or aborts it. Any
   * other answer comes as to every request.
   */
  onSwitchingProtocols(parser: ResponseParser): void;
}
