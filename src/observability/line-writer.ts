/** Lines to a file or a standard stream, in batches, one write at a time, in bounded memory. */
import { closeSync, openSync, write } from 'node:fs';
import type { Logger } from '../base/logger.ts';

/** A batch is written when it has about this many bytes, or after this many milliseconds. */
const BATCH = 256 * 1024;
const INTERVAL = 250;
/** What may wait for a slow disk or pipe, in bytes; lines beyond it are dropped and counted. */
const BACKLOG = 16 * 1024 * 1024;
/** How long to wait before a pipe that was full is tried again, in milliseconds. */
const FULL_PIPE = 20;

export class LineWriter {
  /** Lines that had to be dropped. */
  dropped = 0;
  private readonly path: string;
  private readonly logger: Logger;
  private fd: number;
  /** Lines are encoded at once: a rope of text that lives until the flush costs more than it saves. */
  private batch: Buffer = Buffer.allocUnsafeSlow(BATCH);
  private length = 0;
  private spare: Buffer | null = null;
  private waiting: Buffer[] = [];
  private waitingLength = 0;
  private current: Buffer | null = null;
  private timer: NodeJS.Timeout | null = null;
  private closed = false;
  private failing = false;
  private onIdle: (() => void) | null = null;

  /** `stdout`, `stderr` or a path, to which lines are appended. Throws the system's error when it cannot be opened. */
  constructor(path: string, logger: Logger) {
    this.path = path;
    this.logger = logger;
    this.fd = this.open();
  }

  private open(): number {
    if (this.path === 'stdout') return 1;
    if (this.path === 'stderr') return 2;
    return openSync(this.path, 'a', 0o640);
  }

  /** `line` is US-ASCII and ends with its line feed. */
  write(line: string): void {
    if (this.waitingLength > BACKLOG) {
      this.dropped++;
      return;
    }
    if (line.length > BATCH - this.length) {
      this.flush();
      if (line.length > BATCH) {
        this.enqueue(Buffer.from(line, 'latin1'));
        return;
      }
    }
    this.length += this.batch.write(line, this.length, 'latin1');
    if (this.timer === null) this.timer = setTimeout(() => this.flush(), INTERVAL);
  }

  private flush(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
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
    this.next();
  }

  private next(): void {
    if (this.current !== null) return;
    const bytes = this.waiting.shift();
    if (bytes === undefined) {
      this.onIdle?.();
      return;
    }
    this.waitingLength -= bytes.length;
    this.current = bytes;
    this.writeRest(0);
  }

  private writeRest(from: number): void {
    const bytes = this.current as Buffer;
    write(this.fd, bytes, from, bytes.length - from, null, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.writeRest(from), FULL_PIPE);
        return;
      }
      if (error) this.fail(error, bytes.subarray(from));
      else if (from + written < bytes.length) {
        this.writeRest(from + written);
        return;
      } else this.failing = false;
      if (bytes.buffer.byteLength === BATCH) this.spare = Buffer.from(bytes.buffer);
      this.current = null;
      this.next();
    });
  }

  private fail(error: Error, lost: Buffer): void {
    for (const byte of lost) if (byte === 10) this.dropped++;
    if (!this.failing)
      this.logger.error('the access log cannot be written; lines are lost', { file: this.path, error });
    this.failing = true;
  }

  /** Opens the file anew, so that a rotated one is let go. The old one stays when the new one cannot be had. */
  reopen(): void {
    if (this.fd <= 2 || this.closed) return;
    this.flush();
    const old = this.fd;
    try {
      this.fd = this.open();
    } catch (error) {
      this.logger.error('the access log cannot be opened anew; the old file stays', { file: this.path, error });
      return;
    }
    // A write under way may still use the old one.
    setTimeout(() => closeSync(old), 1000).unref();
  }

  /** Writes what waits, and closes. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.flush();
    if (this.current !== null) await new Promise<void>((resolve) => (this.onIdle = resolve));
    if (this.fd > 2) closeSync(this.fd);
  }
}
