/** Frames on their way to a socket: how many writes they take, what can still be said of them, and whose memory they are in. */

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { decodeFields } from '../../test/support/hpack.ts';
import { framesOf } from '../../test/support/http2-frames.ts';
import { turn } from '../../test/support/waiting.ts';
import { HpackDecoder } from '../http/hpack-decoder.ts';
import { FLAG, FRAME, MAX_FRAME } from '../http/http2-frames.ts';
import { Http2Sender } from './http2-sender.ts';

/** A socket that is done with a write when the test says so. */
class SlowSocket extends EventEmitter {
  readonly writes: Buffer[] = [];
  readonly under: ((error?: Error) => void)[] = [];
  destroyed = false;
  writableEnded = false;

  write(bytes: Buffer, done: (error?: Error) => void): boolean {
    this.writes.push(bytes);
    this.under.push(done);
    return true;
  }

  end(): void {
    this.writableEnded = true;
  }

  /** The oldest write is over. */
  finish(error?: Error): void {
    this.under.shift()?.(error);
  }

  get frames() {
    return framesOf(Buffer.concat(this.writes));
  }
}

function setUp() {
  const socket = new SlowSocket();
  const drains = { count: 0 };
  const sender = new Http2Sender(socket as unknown as Socket, () => drains.count++);
  return { socket, sender, drains };
}

const bytesOf = (size: number, fill: number): Buffer => Buffer.alloc(size, fill);

test('the frames of a turn, of however many streams, are one write', async () => {
  const { socket, sender } = setUp();
  for (const id of [1, 3, 5]) {
    sender.writeHeaders(id, 200, 'a: b\r\n', false);
    sender.writeData(id, bytesOf(100, id), 0, 100, true);
  }
  sender.writeWindow(0, 7);
  expect(socket.writes).toHaveLength(0);
  await turn();
  expect(socket.writes).toHaveLength(1);
  expect(socket.frames.map(({ type, stream }) => [type, stream])).toEqual([
    [FRAME.headers, 1],
    [FRAME.data, 1],
    [FRAME.headers, 3],
    [FRAME.data, 3],
    [FRAME.headers, 5],
    [FRAME.data, 5],
    [FRAME.windowUpdate, 0],
  ]);
});

test('what comes while a write is under way is one more when it is over', async () => {
  const { socket, sender } = setUp();
  sender.writeSettingsAck();
  await turn();
  for (let i = 0; i < 5; i++) {
    sender.writeReset(1, i);
    await turn();
  }
  expect(socket.writes).toHaveLength(1);
  socket.finish();
  expect(socket.writes).toHaveLength(2);
  expect(socket.frames.map(({ payload }) => payload.toString('hex'))).toEqual([
    '',
    ...[0, 1, 2, 3, 4].map((code) => `0000000${code}`),
  ]);
});

describe('the end of a stream', () => {
  test('is said by its last DATA, when that has not left', async () => {
    const { socket, sender } = setUp();
    sender.writeData(1, bytesOf(3, 1), 0, 3, false);
    sender.writeEnd(1);
    await turn();
    expect(socket.frames.map(({ flags, payload }) => [flags, payload.length])).toEqual([[FLAG.endStream, 3]]);
  });

  test.each<[string, (sender: Http2Sender) => unknown]>([
    ['has left', () => turn()],
    ['is followed by a frame of another stream', (sender) => sender.writeReset(3, 0)],
    ['is that of another stream', (sender) => sender.writeData(3, bytesOf(1, 1), 0, 1, false)],
  ])('is a frame of its own, when the last DATA %s', async (_, between) => {
    const { socket, sender } = setUp();
    sender.writeData(1, bytesOf(3, 1), 0, 3, false);
    await between(sender);
    sender.writeEnd(1);
    socket.finish();
    await turn();
    const ends = socket.frames.filter(({ type, stream, flags }) => type === FRAME.data && stream === 1 && flags === 1);
    expect(ends.map(({ payload }) => payload.length)).toEqual([0]);
  });
});

test('pieces of a body share frames as far as they can be', async () => {
  const { socket, sender } = setUp();
  for (let i = 0; i < 40; i++) sender.writeData(1, bytesOf(1000, i), 0, 1000, false);
  sender.writeData(3, bytesOf(10, 99), 0, 10, false);
  sender.writeData(1, bytesOf(10, 98), 0, 10, true);
  await turn();
  const sizes = socket.frames.map(({ stream, payload }) => [stream, payload.length]);
  expect(sizes).toEqual([
    [1, 16_000],
    [1, 16_000],
    [1, 8000],
    [3, 10],
    [1, 10],
  ]);
  const body = Buffer.concat(socket.frames.filter(({ stream }) => stream === 1).map(({ payload }) => payload));
  expect(body).toEqual(Buffer.concat([...Array.from({ length: 40 }, (_, i) => bytesOf(1000, i)), bytesOf(10, 98)]));
  expect(sender.window).toBe(65_535 - 40_020);
});

test.each([true, false])('a head that is larger than a frame is continued (end of stream: %s)', async (endStream) => {
  const { socket, sender } = setUp();
  const lines = Array.from({ length: 20 }, (_, i) => `x-${i}: ${'v'.repeat(2000)}\r\n`).join('');
  sender.writeHeaders(1, 200, lines, endStream);
  sender.writeHeaders(3, 200, 'a: b\r\n', true);
  await turn();
  const own = socket.frames.filter(({ stream }) => stream === 1);
  expect(own.map(({ type, flags, payload }) => [type, flags, payload.length === MAX_FRAME])).toEqual([
    [FRAME.headers, endStream ? FLAG.endStream : 0, true],
    [FRAME.continuation, 0, true],
    [FRAME.continuation, FLAG.endHeaders, false],
  ]);
  const block = Buffer.concat(own.map(({ payload }) => payload));
  const fields = decodeFields(new HpackDecoder(), block);
  expect(fields).toHaveLength(21);
  expect(fields?.every(([, value]) => value === '200' || value === 'v'.repeat(2000))).toBe(true);
  // Nothing may stand between them.
  expect(socket.frames.map(({ stream }) => stream)).toEqual([1, 1, 1, 3]);
});

test('bytes stay as they are until the socket is done with them, whatever is written meanwhile', async () => {
  const { socket, sender } = setUp();
  const others = [setUp(), setUp()];
  let turns = 0;
  for (let i = 0; i < 30; i++) {
    for (const each of [{ socket, sender }, ...others]) {
      each.sender.writeData(1, bytesOf(16_000, i), 0, 16_000, false);
      each.sender.writeReset(3, 0);
    }
    if (i % 3 === 0) await turn();
    // One of them is never done.
    for (const other of others) if (turns++ % 2 === 0) other.socket.finish();
  }
  for (const each of [{ socket }, ...others]) while (each.socket.under.length > 0) each.socket.finish();
  const data = socket.frames.filter(({ type }) => type === FRAME.data);
  expect(data.map(({ payload }) => payload.equals(bytesOf(16_000, payload[0])))).toEqual(Array(30).fill(true));
  expect(data.map(({ payload }) => payload[0])).toEqual(Array.from({ length: 30 }, (_, i) => i));
});

test('a socket that takes nothing makes it congested, and tells once when it is not', async () => {
  const { socket, sender, drains } = setUp();
  let written = 0;
  for (; !sender.congested && written < 100; written++) {
    sender.writeData(1, bytesOf(16_000, 1), 0, 16_000, false);
    sender.writeReset(3, 0);
  }
  expect(written).toBeLessThan(20);
  expect(sender.backlog).toBe(written * (16_000 + 9 + 13));
  await turn();
  while (socket.under.length > 0) socket.finish();
  expect([sender.congested, drains.count, sender.backlog]).toEqual([false, 1, 0]);
});

test('a socket that is gone is written nothing', async () => {
  const { socket, sender, drains } = setUp();
  sender.writeSettingsAck();
  await turn();
  socket.destroyed = true;
  socket.finish(new Error('gone'));
  for (let i = 0; i < 100; i++) sender.writeData(1, bytesOf(16_000, 1), 0, 16_000, false);
  await turn();
  expect([socket.writes.length, drains.count]).toEqual([1, 0]);
});

test('the end waits for what is written', async () => {
  const { socket, sender } = setUp();
  sender.writeGoaway(5, 11);
  sender.end();
  expect(socket.frames.map(({ type, payload }) => [type, payload.toString('hex')])).toEqual([
    [FRAME.goaway, '000000050000000b'],
  ]);
  expect(socket.writableEnded).toBe(true);
  sender.writeReset(1, 0);
  await turn();
  expect(socket.writes).toHaveLength(1);
});
