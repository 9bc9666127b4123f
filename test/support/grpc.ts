/**
 * A real client and server of gRPC with the service that the project's interop tests are made of. Messages are JSON, since
 * what is in them is nobody's business on the way.
 */
import type { EventEmitter } from 'node:events';
import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type StatusObject,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** What a call sends and gets. */
export interface Message {
  readonly payload?: string;
  /** Letters that the answer's payload has. */
  readonly size?: number;
  /** Of a stream: the sizes of its answers, one after another. */
  readonly sizes?: readonly number[];
  /** The call is not to end by itself. */
  readonly hold?: boolean;
  readonly status?: { readonly code: number; readonly message: string };
  /** The address of the server that answered. */
  readonly server?: string;
  /** Of a stream of the client: how many letters it had. */
  readonly total?: number;
}

const PATH = '/grpc.testing.TestService/';
export const ECHO_INITIAL = 'x-grpc-test-echo-initial';
export const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

export const serialize = (message: Message): Buffer => Buffer.from(JSON.stringify(message));
export const deserialize = (bytes: Buffer): Message => JSON.parse(bytes.toString() || '{}');

function method(name: string, requestStream: boolean, responseStream: boolean): ServiceDefinition[string] {
  return {
    path: PATH + name,
    requestStream,
    responseStream,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  };
}

const service: ServiceDefinition = {
  EmptyCall: method('EmptyCall', false, false),
  UnaryCall: method('UnaryCall', false, false),
  StreamingOutputCall: method('StreamingOutputCall', false, true),
  StreamingInputCall: method('StreamingInputCall', true, false),
  FullDuplexCall: method('FullDuplexCall', true, true),
};

const same = (bytes: Buffer): Buffer => bytes;
const healthService: ServiceDefinition = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};

type Call =
  | ServerUnaryCall<Message, Message>
  | ServerReadableStream<Message, Message>
  | ServerWritableStream<Message, Message>
  | ServerDuplexStream<Message, Message>;

/** What a server sees of a call. */
export interface SeenCall {
  readonly method: string;
  readonly metadata: Metadata;
  readonly deadline: number;
  cancelled: boolean;
}

export interface TestServer {
  readonly port: number;
  readonly url: string;
  readonly calls: SeenCall[];
  /** What `UnaryCall` does in place of what it usually does, as long as it stands. */
  unary: ((call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) => void) | null;
  /** What `grpc.health.v1.Health/Check` answers. */
  health: number;
  close(): void;
}

/** Statuses of `grpc.health.v1`. */
export const grpcHealth = { SERVING: 1, NOT_SERVING: 2 };

export async function startGrpcServer(): Promise<TestServer> {
  const server = new Server();
  const calls: SeenCall[] = [];
  const made: Pick<TestServer, 'unary' | 'health'> = { unary: null, health: grpcHealth.SERVING };
  let url = '';
  const enter = (call: Call): Metadata => {
    const deadline = call.getDeadline();
    const seen = { method: call.getPath(), metadata: call.metadata, deadline: Number(deadline), cancelled: false };
    calls.push(seen);
    (call as EventEmitter).on('cancelled', () => {
      seen.cancelled = true;
    });
    const [initial] = call.metadata.get(ECHO_INITIAL);
    if (initial !== undefined) {
      const metadata = new Metadata();
      metadata.set(ECHO_INITIAL, initial);
      call.sendMetadata(metadata);
    }
    const trailing = new Metadata();
    const [value] = call.metadata.get(ECHO_TRAILING);
    if (value !== undefined) trailing.set(ECHO_TRAILING, value);
    return trailing;
  };
  server.addService(service, {
    EmptyCall(call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) {
      answer(null, {}, enter(call));
    },
    UnaryCall(call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) {
      const trailing = enter(call);
      const { size = 0, status: wanted } = call.request;
      if (made.unary !== null) made.unary(call, answer);
      else if (wanted !== undefined) answer({ code: wanted.code, details: wanted.message, metadata: trailing });
      else answer(null, { payload: 'x'.repeat(size), server: url }, trailing);
    },
    StreamingOutputCall(call: ServerWritableStream<Message, Message>) {
      const trailing = enter(call);
      for (const size of call.request.sizes ?? []) call.write({ payload: 'x'.repeat(size) });
      if (call.request.hold !== true) call.end(trailing);
    },
    StreamingInputCall(call: ServerReadableStream<Message, Message>, answer: sendUnaryData<Message>) {
      const trailing = enter(call);
      let total = 0;
      let held = false;
      call.on('data', ({ payload = '', hold = false }: Message) => {
        total += payload.length;
        held ||= hold;
      });
      call.on('end', () => {
        if (!held) answer(null, { total }, trailing);
      });
      call.on('error', () => {});
    },
    FullDuplexCall(call: ServerDuplexStream<Message, Message>) {
      const trailing = enter(call);
      call.on('data', ({ sizes = [], status: wanted }: Message) => {
        if (wanted !== undefined)
          call.emit('error', { code: wanted.code, details: wanted.message, metadata: trailing });
        else for (const size of sizes) call.write({ payload: 'x'.repeat(size) });
      });
      call.on('end', () => call.end(trailing));
      call.on('error', () => {});
    },
  } as UntypedServiceImplementation);
  server.addService(healthService, {
    Check: (_call: unknown, answer: sendUnaryData<Buffer>) => answer(null, Buffer.from([8, made.health])),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  url = `http://127.0.0.1:${port}`;
  return {
    port,
    url,
    calls,
    get health() {
      return made.health;
    },
    set health(health) {
      made.health = health;
    },
    get unary() {
      return made.unary;
    },
    set unary(unary) {
      made.unary = unary;
    },
    close: () => server.forceShutdown(),
  };
}

/** Of a method of the test service, or of any service by its whole path. */
const pathOf = (name: string): string => (name.startsWith('/') ? name : PATH + name);

/** How a call went. */
export interface CallOutcome {
  readonly code: number;
  readonly details: string;
  readonly messages: Message[];
  readonly initial: Metadata | null;
  readonly trailing: Metadata;
}

export class TestClient {
  readonly client: Client;

  constructor(port: number, options: object = {}) {
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
  }

  unary(name: string, message: Message, metadata = new Metadata(), options: CallOptions = {}): Promise<CallOutcome> {
    return new Promise((resolve) => {
      const messages: Message[] = [];
      const call = this.client.makeUnaryRequest(
        pathOf(name),
        serialize,
        deserialize,
        message,
        metadata,
        options,
        (_error, answer) => {
          if (answer !== undefined) messages.push(answer);
        },
      );
      settle(call, messages, resolve);
    });
  }

  input(name: string, metadata = new Metadata(), options: CallOptions = {}) {
    const messages: Message[] = [];
    const call = this.client.makeClientStreamRequest(
      PATH + name,
      serialize,
      deserialize,
      metadata,
      options,
      (_error, answer) => {
        if (answer !== undefined) messages.push(answer);
      },
    );
    return { call, outcome: new Promise<CallOutcome>((resolve) => settle(call, messages, resolve)) };
  }

  output(name: string, message: Message, metadata = new Metadata(), options: CallOptions = {}) {
    const call = this.client.makeServerStreamRequest(pathOf(name), serialize, deserialize, message, metadata, options);
    return { call, outcome: collect(call) };
  }

  duplex(name: string, metadata = new Metadata(), options: CallOptions = {}) {
    const call = this.client.makeBidiStreamRequest(pathOf(name), serialize, deserialize, metadata, options);
    return { call, outcome: collect(call) };
  }

  close(): void {
    this.client.close();
  }
}

interface EventSource {
  on(event: 'metadata', listener: (metadata: Metadata) => void): unknown;
  on(event: 'status', listener: (ended: StatusObject) => void): unknown;
}

function settle(call: EventSource, messages: Message[], resolve: (outcome: CallOutcome) => void): void {
  let initial: Metadata | null = null;
  call.on('metadata', (metadata) => {
    initial = metadata;
  });
  call.on('status', ({ code, details, metadata }) =>
    // The answer of a call without a stream is told after its status.
    setImmediate(() => resolve({ code, details, messages, initial, trailing: metadata })),
  );
}

function collect(call: ClientReadableStream<Message>): Promise<CallOutcome> {
  const messages: Message[] = [];
  call.on('data', (message: Message) => messages.push(message));
  call.on('error', () => {});
  return new Promise((resolve) => settle(call as unknown as EventSource, messages, resolve));
}

export { Metadata, status as grpcStatus };
