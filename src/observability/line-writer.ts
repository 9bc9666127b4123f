/** Lines to a file or a standard stream, in batches, one write at a time, in bounded memory. */
import { close, constants, openSync, write } from 'node:fs';
import type { Logger } from '../base/logger.ts';

/** Text is gathered up to this length before it is encoded: joined text that lives long is dear to the collector. */
const CHUNK = 8 * 1024;
/** A batch is written when it has about this many bytes, or after this many milliseconds. */
const BATCH = 256 * 1024;
const INTERVAL = 250;
/** What may wait for a slow disk or pipe, in bytes; lines beyond it are dropped and counted. */
const BACKLOG = 16 * 1024 * 1024;
/** How long to wait before a pipe that was full is tried again, in milliseconds. */
const FULL_PIPE = 20;
/** How long `close` waits for a pipe that takes nothing, in milliseconds. */
const PATIENCE = 2000;
/** The longest time that a timer can take, in milliseconds. */
const UNBOUNDED = 2 ** 31 - 1;
/** The least time between two complaints about one file, in milliseconds. */
const QUIET = 10_000;

const NEWLINE = 10;

/** The system's calls; tests put others in their place. */
export interface FileCalls {
  /** Opens for appending; creates what is missing with mode 0640. */
  open(path: string): number;
  close(fd: number): void;
  write(
    fd: number,
    bytes: Buffer,
    from: number,
    done: (error: NodeJS.ErrnoException | null, written: number) => void,
  ): void;
}

const systemCalls: FileCalls = {
  // Without O_NONBLOCK, opening a FIFO that nobody reads would stop the whole process. Regular files ignore the flag.
  open: (path) =>
    openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK, 0o640),
  close: (fd) => close(fd, () => {}),
  write: (fd, bytes, from, done) => write(fd, bytes, from, bytes.length - from, null, done),
};

export class LineWriter {
  /** Lines that had to be dropped. */
  dropped = 0;
  private readonly path: string;
  private readonly logger: Logger;
  private readonly calls: FileCalls;
  private readonly standard: boolean;
  private fd: number;
  /** How many opened it and did not close it. */
  private users = 1;
  private text = '';
  private batch: Buffer = Buffer.allocUnsafeSlow(BATCH);
  private length = 0;
  private spare: Buffer | null = null;
  private readonly waiting: Buffer[] = [];
  private waitingLength = 0;
  private current: Buffer | null = null;
  /** The time of a batch came while another was being written. */
  private due = false;
  /** Descriptors to close once the write under way is done. */
  private readonly retired: number[] = [];
  private timer: NodeJS.Timeout | null = null;
  /** It took nothing, or too little in the time it had, when it was to be closed. */
  private abandoned = false;
  private readonly idleWaiters: (() => void)[] = [];
  private triedSince = 0;
  private complainedAt = -QUIET;

  constructor(path: string, logger: Logger, calls: FileCalls) {
    this.path = path;
    this.logger = logger;
    this.calls = calls;
    this.standard = path === 'stdout' || path === 'stderr';
    this.fd = this.standard ? standardDescriptor(path) : calls.open(path);
  }

  /** One more opener of a standard stream; each closes it once. */
  share(): this {
    this.users++;
    this.abandoned = false;
    return this;
  }

  /** `line` is US-ASCII and ends with its line feed. */
  write(line: string): void {
    if (this.waitingLength >= BACKLOG || this.users === 0) {
      this.dropped++;
      if (this.users > 0) this.complain('lines are lost: it takes them too slowly', undefined);
      return;
    }
    this.text += line;
    if (this.text.length >= CHUNK) this.encode();
    if (this.timer === null) this.timer = setTimeout(onInterval, INTERVAL, this);
  }

  /** Like `write`, but does not wait for the batch to fill. */
  writeSoon(line: string): void {
    this.write(line);
    this.flush();
  }

  /** Begins to write what was gathered; what is gathered while a write is under way follows it. */
  flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.encode();
    // One write for all that comes meanwhile: a batch a timer's turn would fill memory with nearly empty ones.
    if (this.current !== null) this.due = true;
    else this.enqueueBatch();
  }

  private encode(): void {
    const { text } = this;
    if (text === '') return;
    this.text = '';
    if (text.length > BATCH - this.length) this.enqueueBatch();
    if (text.length > BATCH) this.enqueue(Buffer.from(text, 'latin1'));
    else this.length += this.batch.write(text, this.length, 'latin1');
  }

  private enqueueBatch(): void {
    this.due = false;
    if (this.length === 0) return;
    const full = this.batch.subarray(0, this.length);
    this.batch = this.spare ?? Buffer.allocUnsafeSlow(BATCH);
    this.spare = null;
    this.length = 0;
    this.enqueue(full);
  }

  private enqueue(bytes: Buffer): void {
    this.waiting.push(bytes);
    this.waitingLength += bytes.length;
    if (this.current === null) this.next();
  }

  private next(): void {
    if (this.waiting.length === 0 && this.due) this.enqueueBatch();
    if (this.current !== null) return;
    const bytes = this.waiting.shift();
    if (bytes === undefined) {
      for (const onIdle of this.idleWaiters.splice(0)) onIdle();
      return;
    }
    this.waitingLength -= bytes.length;
    this.current = bytes;
    this.triedSince = performance.now();
    this.writeFrom(0);
  }

  private writeFrom(from: number): void {
    const bytes = this.current as Buffer;
    this.calls.write(this.fd, bytes, from, (error, written) => {
      const end = error === null ? from + written : from;
      if (error === null && end > from) this.triedSince = performance.now();
      if (error?.code === 'EAGAIN') this.onFullPipe(bytes, from, error);
      else if (error !== null) this.fail(error, bytes, from);
      else if (end === bytes.length) this.finish(bytes);
      else if (this.abandoned) this.fail(undefined, bytes, end);
      else this.writeFrom(end);
    });
  }

  private onFullPipe(bytes: Buffer, from: number, error: Error): void {
    if (!this.abandoned && (this.users > 0 || performance.now() - this.triedSince < PATIENCE)) {
      setTimeout(() => this.writeFrom(from), FULL_PIPE);
      return;
    }
    this.abandon();
    this.fail(error, bytes, from);
  }

  /** Nobody reads, or too slowly, and the process wants to end. */
  private abandon(): void {
    this.abandoned = true;
    for (const lost of this.waiting.splice(0)) this.dropped += linesIn(lost, 0);
    this.waitingLength = 0;
    this.dropped += linesIn(this.batch.subarray(0, this.length), 0);
    this.length = 0;
    this.due = false;
  }

  private fail(error: Error | undefined, bytes: Buffer, from: number): void {
    this.dropped += linesIn(bytes, from);
    // The next line must not be glued to the half of one that was written.
    if (from > 0 && bytes[from - 1] !== NEWLINE) this.waiting.unshift(Buffer.from([NEWLINE]));
    this.complain('lines are lost: it cannot be written', error);
    this.finish(bytes);
  }

  private finish(bytes: Buffer): void {
    if (bytes.buffer.byteLength === BATCH) this.spare = Buffer.from(bytes.buffer);
    this.current = null;
    for (const fd of this.retired.splice(0)) this.calls.close(fd);
    this.next();
  }

  private complain(reason: string, error: Error | undefined): void {
    const now = performance.now();
    if (now - this.complainedAt < QUIET) return;
    this.complainedAt = now;
    this.logger.error('log file trouble', { file: this.path, reason, dropped: this.dropped, error });
  }

  /** Opens the file anew, so that a rotated one is let go. The old one stays when the new one cannot be had. */
  reopen(): void {
    if (this.standard || this.users === 0) return;
    let fd: number;
    try {
      fd = this.calls.open(this.path);
    } catch (error) {
      this.logger.error('log file trouble', {
        file: this.path,
        reason: 'it cannot be opened anew; the old one stays',
        error,
      });
      return;
    }
    // A descriptor that is closed under a write may already be another file's.
    if (this.current === null) this.calls.close(this.fd);
    else this.retired.push(this.fd);
    this.fd = fd;
  }

  /**
   * Writes what waits, and closes. Gives up after two seconds in which a pipe takes nothing, and after `within`
   * milliseconds in all; what is not written then is dropped.
   */
  async close(within = UNBOUNDED): Promise<void> {
    if (this.users === 0) return;
    this.users--;
    this.flush();
    if (this.current !== null) await this.untilIdle(within);
    if (this.users > 0) return;
    // A stream that was given up stays known: one more line on it would keep the process alive for ever.
    if (shared.get(this.path) === this && !this.abandoned) shared.delete(this.path);
    if (this.standard) return;
    // A write under way, and the end of a line that it leaves half, must not meet another file's descriptor.
    if (this.current === null) this.calls.close(this.fd);
    else this.idleWaiters.push(() => this.calls.close(this.fd));
  }

  private untilIdle(within: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        // Others of a standard stream may have more time.
        if (this.users === 0) this.abandon();
        resolve();
      }, within);
      this.idleWaiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function onInterval(writer: LineWriter): void {
  writer.flush();
}

function linesIn(bytes: Buffer, from: number): number {
  let lines = 0;
  for (let i = bytes.indexOf(NEWLINE, from); i >= 0; i = bytes.indexOf(NEWLINE, i + 1)) lines++;
  return lines;
}

/** Touching the stream makes its pipe non-blocking: a reader that stops must not hold a thread of the pool. */
function standardDescriptor(name: string): number {
  return name === 'stdout' ? (process.stdout.fd ?? 1) : (process.stderr.fd ?? 2);
}

/** The writers of the standard streams: two of them on one stream would cut each other's lines. */
const shared = new Map<string, LineWriter>();

/**
 * Opens `stdout`, `stderr` or the path of a file, to which lines are appended. Throws the system's error when it cannot
 * be opened. `logger` hears of lines that are lost.
 */
export function openLineWriter(path: string, logger: Logger, calls: FileCalls = systemCalls): LineWriter {
  const known = shared.get(path);
  if (known !== undefined) return known.share();
  const writer = new LineWriter(path, logger, calls);
  if (path === 'stdout' || path === 'stderr') shared.set(path, writer);
  return writer;
}

/** Writes one line to stdout, in US-ASCII with its line feed, in turn with those of an access log that goes there too. */
export function writeStandardLine(line: string): void {
  const writer = shared.get('stdout');
  if (writer !== undefined) {
    writer.writeSoon(line);
    return;
  }
  if (!process.stdout.listeners('error').includes(ignoreStreamError)) process.stdout.on('error', ignoreStreamError);
  process.stdout.write(line);
}

/** Who reads the log may leave; the gateway goes on. */
function ignoreStreamError(): void {}
