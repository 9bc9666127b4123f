/** Lines are written in batches and in order, whatever becomes of a write. */
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LogFields, type Logger, silentLogger } from '../base/logger.ts';
import { type FileCalls, type LineWriter, openLineWriter, writeStandardLine } from './line-writer.ts';

const KIB = 1024;

/** The system's calls on a file in memory, each write answered by the test. */
class TestFiles implements FileCalls {
  readonly opened: string[] = [];
  readonly closed: number[] = [];
  readonly pending: {
    fd: number;
    data: Buffer;
    done: (error: NodeJS.ErrnoException | null, written: number) => void;
  }[] = [];
  written = '';
  openError: Error | null = null;

  open = (path: string): number => {
    if (this.openError !== null) throw this.openError;
    return 100 + this.opened.push(path);
  };

  close = (fd: number): void => void this.closed.push(fd);

  write = (fd: number, bytes: Buffer, from: number, done: (error: Error | null, written: number) => void): void => {
    this.pending.push({ fd, data: bytes.subarray(from), done });
  };

  /** Answers the write under way: with as many bytes as asked for, or `bytes` of them, or an error. */
  answer(result: number | string = Infinity): number {
    const { fd, data, done } = this.pending.shift() as (typeof this.pending)[number];
    if (typeof result === 'string') done(Object.assign(new Error(result), { code: result }), 0);
    else {
      this.written += data.toString('latin1', 0, result);
      done(null, Math.min(result, data.length));
    }
    return fd;
  }

  answerAll(): void {
    while (this.pending.length > 0) this.answer();
  }
}

function recorder(lines: LogFields[]): Logger {
  return { ...silentLogger, error: (_message, fields) => void lines.push(fields as LogFields) };
}

let files: TestFiles;
let complaints: LogFields[];

beforeEach(() => {
  vi.useFakeTimers();
  files = new TestFiles();
  complaints = [];
});

afterEach(() => {
  vi.useRealTimers();
});

function open(path = '/log'): LineWriter {
  return openLineWriter(path, recorder(complaints), files);
}

function lineOf(length: number, character = 'x'): string {
  return `${character.repeat(length - 1)}\n`;
}

describe('writing lines', () => {
  it('waits for 250 ms, then writes what came until then at once', () => {
    const writer = open();
    writer.write('a\n');
    vi.advanceTimersByTime(249);
    writer.write('b\n');
    expect(files.pending).toHaveLength(0);
    vi.advanceTimersByTime(1);
    expect(files.pending).toHaveLength(1);
    files.answer();
    expect(files.written).toBe('a\nb\n');
    vi.advanceTimersByTime(10_000);
    expect(files.pending).toHaveLength(0);
  });

  it('writes a full batch without waiting, and one batch at a time, in order', () => {
    const writer = open();
    let all = '';
    for (let i = 0; i < 1200; i++) {
      const line = lineOf(KIB, String.fromCharCode(97 + (i % 26)));
      all += line;
      writer.write(line);
      expect(files.pending.length).toBeLessThanOrEqual(1);
    }
    expect(files.pending).toHaveLength(1);
    vi.advanceTimersByTime(250);
    files.answerAll();
    expect(files.written === all).toBe(true);
  });

  it('takes a line larger than a batch, in its place', () => {
    const writer = open();
    const lines = ['a\n', lineOf(700 * KIB, 'b'), 'c\n'];
    for (const line of lines) writer.write(line);
    vi.advanceTimersByTime(250);
    files.answerAll();
    expect(files.written === lines.join('')).toBe(true);
  });

  it('goes on where a write took only a part', () => {
    const writer = open();
    writer.write('one\ntwo\n');
    writer.flush();
    files.answer(5);
    files.answer(1);
    files.answer();
    expect(files.written).toBe('one\ntwo\n');
  });

  it('does not fill memory with small batches while a write is stuck', () => {
    const writer = open();
    writer.writeSoon('0\n');
    for (let i = 1; i < 1000; i++) {
      writer.write(`${i}\n`);
      vi.advanceTimersByTime(250);
    }
    files.answer();
    expect(files.pending[0].data.toString().split('\n')).toHaveLength(1000);
    files.answerAll();
    expect(writer.dropped).toBe(0);
  });
});

describe('a file or pipe in trouble', () => {
  it('tries a full pipe again', () => {
    const writer = open();
    writer.writeSoon('a\n');
    files.answer('EAGAIN');
    expect(files.pending).toHaveLength(0);
    vi.advanceTimersByTime(20);
    files.answer();
    expect([files.written, writer.dropped, complaints.length]).toEqual(['a\n', 0, 0]);
  });

  it('drops and counts lines beyond the backlog, says so, and writes all it took', () => {
    const writer = open();
    const line = lineOf(64 * KIB);
    for (let i = 0; i < 400; i++) writer.write(line);
    const taken = 400 - writer.dropped;
    expect(taken * 64 * KIB).toBeGreaterThanOrEqual(16 * KIB * KIB);
    expect(taken * 64 * KIB).toBeLessThan(17 * KIB * KIB);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatchObject({ file: '/log', reason: 'lines are lost: it takes them too slowly' });
    vi.advanceTimersByTime(250);
    files.answerAll();
    expect(files.written.length).toBe(taken * 64 * KIB);
    writer.writeSoon('again\n');
    files.answerAll();
    expect(files.written.endsWith('\nagain\n')).toBe(true);
  });

  it('counts the lines of a write that failed, complains at most once in ten seconds, and goes on', () => {
    const writer = open();
    for (let i = 0; i < 5; i++) {
      writer.writeSoon('a\nb\n');
      files.answer('ENOSPC');
    }
    expect(writer.dropped).toBe(10);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatchObject({ reason: 'lines are lost: it cannot be written', error: { code: 'ENOSPC' } });
    vi.advanceTimersByTime(10_000);
    writer.writeSoon('c\n');
    files.answer('ENOSPC');
    expect(complaints).toHaveLength(2);
    writer.writeSoon('d\n');
    files.answer();
    expect(files.written).toBe('d\n');
  });

  it('does not glue a line to the half of one that was written before the disk was full', () => {
    const writer = open();
    writer.writeSoon('one\ntwo\nthree\n');
    files.answer(6);
    files.answer('ENOSPC');
    writer.writeSoon('four\n');
    files.answerAll();
    expect(files.written).toBe('one\ntw\nfour\n');
    expect(writer.dropped).toBe(2);
  });
});

describe('rotation', () => {
  it('writes to the new file, and closes the old one only after the write under way', () => {
    const writer = open();
    writer.writeSoon('old\n');
    writer.write('new\n');
    writer.reopen();
    expect(files.closed).toEqual([]);
    expect(files.answer()).toBe(101);
    expect(files.closed).toEqual([101]);
    vi.advanceTimersByTime(250);
    expect(files.answer()).toBe(102);
    writer.reopen();
    expect(files.closed).toEqual([101, 102]);
  });

  it('stays with the old file when the new one cannot be opened', () => {
    const writer = open();
    files.openError = new Error('EACCES');
    writer.reopen();
    expect(complaints[0]).toMatchObject({ reason: 'it cannot be opened anew; the old one stays' });
    writer.writeSoon('a\n');
    expect(files.answer()).toBe(101);
    expect(files.closed).toEqual([]);
  });

  it('leaves the standard streams alone', async () => {
    const writer = open('stdout');
    writer.reopen();
    writer.writeSoon('a\n');
    expect(files.answer()).toBe(1);
    await writer.close();
    expect([files.opened, files.closed]).toEqual([[], []]);
  });
});

describe('closing', () => {
  it('writes everything first, and drops what comes later rather than write into another file', async () => {
    const writer = open();
    writer.writeSoon('a\n');
    writer.write('b\n');
    let closed = false;
    const closing = writer.close().then(() => {
      closed = true;
    });
    writer.write('late\n');
    files.answer();
    await Promise.resolve();
    expect(closed).toBe(false);
    files.answer();
    await closing;
    expect(files.closed).toEqual([101]);
    expect([files.written, writer.dropped]).toEqual(['a\nb\n', 1]);
    writer.writeSoon('later\n');
    await writer.close();
    expect([files.pending.length, files.closed.length]).toEqual([0, 1]);
  });

  it('gives up after two seconds on a pipe that nobody reads', async () => {
    const writer = open();
    writer.write('a\nb\n');
    const closing = writer.close();
    for (let i = 0; i <= 100; i++) {
      files.answer('EAGAIN');
      vi.advanceTimersByTime(20);
    }
    await closing;
    expect(writer.dropped).toBe(2);
    expect(files.closed).toEqual([101]);
  });

  it('writes no more to a standard stream that was given up: that would keep the process alive', async () => {
    const direct = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const writer = open('stdout');
    writer.write('a\n');
    const closing = writer.close();
    for (let i = 0; i <= 100; i++) {
      files.answer('EAGAIN');
      vi.advanceTimersByTime(20);
    }
    await closing;
    writeStandardLine('b\n');
    expect([files.pending.length, writer.dropped, direct.mock.calls.length]).toEqual([0, 2, 0]);
    direct.mockRestore();
    // Whoever opens it anew tries again.
    const again = open('stdout');
    again.writeSoon('c\n');
    const closingAgain = again.close();
    files.answerAll();
    await closingAgain;
    expect(files.written).toBe('c\n');
  });

  it('gives up at the end of the time it was given, even on a reader that takes something', async () => {
    const writer = open();
    writer.writeSoon('ab\n');
    writer.write('c\nd\n');
    const closing = writer.close(1000);
    files.answer(1);
    vi.advanceTimersByTime(1000);
    await closing;
    expect(writer.dropped).toBe(2);
    files.answer(1);
    // An end for the line that was begun, and no more: else a slow reader would keep the process alive. Until then the
    // descriptor must not become another file's.
    expect([files.pending.map(({ data }) => data.toString()), files.closed]).toEqual([['\n'], []]);
    files.answer('EAGAIN');
    vi.advanceTimersByTime(10_000);
    expect([files.written, files.pending.length, writer.dropped]).toEqual(['ab', 0, 4]);
    expect(files.closed).toEqual([101]);
  });

  it('gives a standard stream up only when its last user leaves', async () => {
    const first = open('stdout');
    const second = open('stdout');
    first.writeSoon('ab\n');
    const closing = first.close(1000);
    vi.advanceTimersByTime(1000);
    await closing;
    files.answer(1);
    files.answerAll();
    await second.close();
    expect([files.written, second.dropped]).toEqual(['ab\n', 0]);
  });

  it('waits on while a slow reader still takes something', async () => {
    const writer = open();
    writer.write('abcdef\n');
    const closing = writer.close();
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j < 90; j++) {
        files.answer('EAGAIN');
        vi.advanceTimersByTime(20);
      }
      files.answer(1);
    }
    files.answer();
    await closing;
    expect([files.written, writer.dropped]).toEqual(['abcdef\n', 0]);
  });
});

describe('a standard stream', () => {
  it('has one writer for all who open it, which lives until the last one closes it', async () => {
    const first = open('stdout');
    const second = open('stdout');
    expect(second).toBe(first);
    first.write('a\n');
    const closing = first.close();
    files.answerAll();
    await closing;
    second.writeSoon('b\n');
    files.answerAll();
    await second.close();
    expect([files.written, second.dropped]).toEqual(['a\nb\n', 0]);
    const third = open('stdout');
    expect(third).not.toBe(first);
    await third.close();
  });

  it('takes the lines of the logger in turn with those of the access log', async () => {
    const writer = open('stdout');
    writer.write('access 1\n');
    writeStandardLine('logger\n');
    writer.write('access 2\n');
    files.answer(3);
    writeStandardLine('logger 2\n');
    files.answerAll();
    expect(files.written).toBe('access 1\nlogger\naccess 2\nlogger 2\n');
    const closing = writer.close();
    files.answerAll();
    await closing;
  });

  it('is written to directly when no access log goes there', () => {
    const direct = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      writeStandardLine('line\n');
      writeStandardLine('line\n');
      expect(direct.mock.calls).toEqual([['line\n'], ['line\n']]);
      expect(process.stdout.listenerCount('error')).toBe(1);
    } finally {
      direct.mockRestore();
    }
  });
});

describe('a real file', () => {
  let directory: string;
  beforeEach(() => {
    vi.useRealTimers();
    directory = mkdtempSync(join(tmpdir(), 'portico-log-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('is created for its owner and group, and never cut', async () => {
    const path = join(directory, 'a.log');
    const created = openLineWriter(path, silentLogger);
    await created.close();
    expect(statSync(path).mode & 0o137).toBe(0);
    writeFileSync(path, 'before\n');
    const writer = openLineWriter(path, silentLogger);
    writer.write('after\n');
    await writer.close();
    expect(readFileSync(path, 'utf8')).toBe('before\nafter\n');
  });

  it('may be renamed: lines go to the new one after reopening, and none is lost', async () => {
    const path = join(directory, 'a.log');
    const writer = openLineWriter(path, silentLogger);
    for (let i = 0; i < 100; i++) {
      writer.write(`${i}\n`);
      if (i % 10 === 0) writer.flush();
      if (i !== 49) continue;
      renameSync(path, `${path}.1`);
      writer.reopen();
    }
    await writer.close();
    const lines = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8');
    expect(lines).toBe(Array.from({ length: 100 }, (_, i) => `${i}\n`).join(''));
    expect(readFileSync(path, 'utf8')).toContain('99\n');
  });

  it.skipIf(process.getuid?.() === 0)('throws the reason why it cannot be opened', () => {
    chmodSync(directory, 0o500);
    expect(() => openLineWriter(join(directory, 'a.log'), silentLogger)).toThrow('EACCES');
  });

  it('throws when it is a directory, or lies in none', () => {
    expect(() => openLineWriter(directory, silentLogger)).toThrow('EISDIR');
    expect(() => openLineWriter(join(directory, 'none', 'a.log'), silentLogger)).toThrow('ENOENT');
  });
});
