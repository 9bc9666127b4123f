/** One worker as the supervisor has it: a child process, what it was asked and has not answered, and how it fares. */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import { programBeside } from '../../base/program.ts';
import type { GatewayConfig } from '../../config/model.ts';
import type { LateQuarantine } from '../quarantine.ts';
import type { FromWorker, Outcome, ToWorker, WorkerReport, WorkerStart } from './protocol.ts';
import type { StateAnswer } from './state-messages.ts';

/** A message that a worker is to answer. */
type WorkerRequest = Extract<ToWorker, { id: number }>;
type WithoutId<Message> = Message extends unknown ? Omit<Message, 'id'> : never;

export interface WorkerEvents {
  onMessage(worker: WorkerProcess, message: FromWorker): void;
  /** A connection that it was handed, and ended before it took. */
  onReturned(listener: string, socket: Socket): void;
  /** Whole lines that it wrote to its standard output. */
  onLines(lines: string): void;
  onExit(worker: WorkerProcess, code: number | null, signal: NodeJS.Signals | null): void;
}

/** `draining`: it ends what it has and takes no more. */
export type WorkerState = 'starting' | 'running' | 'draining' | 'ended';

interface Pending {
  resolve(answer: Outcome): void;
  reject(error: Error): void;
}

export class WorkerGoneError extends Error {
  override readonly name = 'WorkerGoneError';
}

const PROGRAM = programBeside(import.meta.url, 'worker-main');

export class WorkerProcess {
  state: WorkerState = 'starting';
  report: WorkerReport | null = null;
  /** The generation that it runs, as it was told; null before the first. */
  running: { readonly generation: number; readonly config: GatewayConfig } | null = null;
  /** Routes that it alone could not build. */
  quarantined: readonly LateQuarantine[] = [];
  /** Settles when it has ended what it had; null while it is not to end. Answers how many requests were cut. */
  drained: Promise<number> | null = null;
  /** Looks of the supervisor since it was last heard. */
  silence = 0;
  /** On the supervisor's clock, in milliseconds. */
  readonly begun: number;
  readonly pid: number;
  /** Settles when it has begun, or rejects when it ends before. */
  readonly started: Promise<void>;
  private readonly child: ChildProcess;
  private readonly events: WorkerEvents;
  private readonly pending = new Map<number, Pending>();
  /** Connections on their way to it, by the id of their message. */
  private readonly handed = new Map<number, { readonly listener: string; readonly socket: Socket }>();
  private nextId = 1;
  private unfinishedLine = '';
  private onStarted: () => void = () => {};
  private onStartFailed: (error: Error) => void = () => {};

  constructor(start: WorkerStart, begun: number, events: WorkerEvents) {
    this.begun = begun;
    this.events = events;
    this.started = new Promise((resolve, reject) => {
      this.onStarted = resolve;
      this.onStartFailed = reject;
    });
    this.started.catch(() => {});
    this.child = fork(PROGRAM.url, [JSON.stringify(start)], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      serialization: 'advanced',
      execArgv: [...process.execArgv.filter((argument) => !argument.startsWith('--inspect')), ...PROGRAM.execArgv],
    });
    this.pid = this.child.pid ?? 0;
    this.child.on('message', (message) => this.onMessage(message as FromWorker));
    this.child.on('error', (error) => this.end(error, null, null));
    this.child.on('exit', (code, signal) => this.end(new WorkerGoneError('the worker ended'), code, signal));
    this.child.stdout?.setEncoding('latin1').on('data', (text: string) => this.onOutput(text));
  }

  /** Sends without an answer; what cannot be sent is dropped: the worker is gone, or soon will be. */
  send(message: ToWorker, handle?: SendHandle): void {
    if (this.child.connected) this.child.send(message, handle, {}, () => {});
  }

  /**
   * Gives it a connection, of which nothing was read. The socket here stays open until the worker says that it has it, so
   * that one that ends before loses nothing. The bare handle goes, not the socket: Node would forget that one when the
   * worker dies, and leave the client with a connection that nobody serves and nobody closes.
   */
  hand(listener: string, socket: Socket): void {
    const id = this.nextId++;
    this.handed.set(id, { listener, socket });
    this.send({ type: 'connection', id, listener }, (socket as unknown as { _handle: SendHandle })._handle);
  }

  /** Sends and waits for the answer; rejects with `WorkerGoneError` when the worker ends before it. */
  request(message: WithoutId<WorkerRequest>): Promise<Outcome> {
    if (this.state === 'ended') return Promise.reject(new WorkerGoneError('the worker has ended'));
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.send({ ...message, id } as ToWorker);
    });
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  grant(key: string, count: number, settled: boolean): void {
    this.send({ type: 'grant', key, count, settled });
  }

  answerState(answer: StateAnswer): void {
    this.send({ type: 'state-answer', answer });
  }

  recall(key: string, count: number, owed: boolean): void {
    this.send({ type: 'recall', key, count, owed });
  }

  private onMessage(message: FromWorker): void {
    this.silence = 0;
    if (message.type === 'started') this.onStarted();
    else if (message.type === 'took') {
      this.handed.get(message.id)?.socket.destroy();
      this.handed.delete(message.id);
    } else if (message.type === 'done') this.settle(message.id)?.resolve(message);
    else {
      this.events.onMessage(this, message);
      if (message.type === 'report') this.settle(message.id)?.resolve({ error: null, cut: 0, quarantined: [] });
    }
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    return pending;
  }

  private onOutput(text: string): void {
    const end = text.lastIndexOf('\n') + 1;
    if (end === 0) this.unfinishedLine += text;
    else {
      this.events.onLines(this.unfinishedLine + text.slice(0, end));
      this.unfinishedLine = text.slice(end);
    }
  }

  private end(error: Error, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.onStartFailed(error);
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
    this.events.onExit(this, code, signal);
    for (const { listener, socket } of this.handed.values()) this.events.onReturned(listener, socket);
    this.handed.clear();
  }
}
