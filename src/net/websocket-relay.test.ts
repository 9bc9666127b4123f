/** An open WebSocket between two tunnels: what passes, what waits, and how it ends. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { close, frame, KEY, type ReadFrame, readFrames } from '../../test/support/websocket-frame.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import { FrameScanner, NO_RSV } from '../http/websocket-frames.ts';
import type { Tunnel, TunnelSink } from './stream.ts';
import { WebSocketRelay } from './websocket-relay.ts';

/** A peer behind a tunnel that notes what it is given. */
class Peer implements Tunnel {
  sink: TunnelSink | null = null;
  received: Buffer = Buffer.alloc(0);
  paused = false;
  ended = false;
  destroyed = false;
  /** What `write` answers. */
  takes = true;
  early: Buffer | null = null;

  open(sink: TunnelSink): void {
    this.sink = sink;
    if (this.early !== null) this.send(this.early);
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    expect(this.ended).toBe(false);
    this.received = Buffer.concat([this.received, bytes.subarray(start, end)]);
    return this.takes;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  end(): void {
    this.ended = true;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** The peer sends bytes. */
  send(bytes: Buffer): void {
    this.sink?.onTunnelBytes(this, bytes, 0, bytes.length);
  }

  /** The peer sends no more. */
  finish(): void {
    this.sink?.onTunnelEnd(this);
  }

  gone(): void {
    this.sink?.onTunnelClosed(this);
    this.sink = null;
  }

  get frames(): ReadFrame[] {
    return readFrames(this.received);
  }

  /** The code of the Close that it was sent last. */
  get code(): number | null | undefined {
    return this.frames.findLast(({ opcode }) => opcode === 8)?.code;
  }
}

const IDLE = 1000;
const MAX = 100;

const clock = { time: 1000, now: () => clock.time, wall: () => clock.time };
let wheel: TimerWheel;
let client: Peer;
let upstream: Peer;
let relay: WebSocketRelay;
let ended: number;

function begin(): void {
  wheel = new TimerWheel(clock);
  client = new Peer();
  upstream = new Peer();
  ended = 0;
  const options = { idleTimeout: IDLE, maxMessage: MAX, rsv: NO_RSV };
  relay = new WebSocketRelay(client, upstream, options, wheel, { onRelayEnded: () => ended++ });
}

beforeEach(begin);

afterEach(() => {
  client.gone();
  upstream.gone();
  expect(ended).toBe(1);
  expect(wheel.length).toBe(0);
});

function pass(milliseconds: number): void {
  clock.time += milliseconds;
  wheel.advance();
}

const text = (payload: string, mask: Buffer | null = null): Buffer => frame({ payload, mask });

describe('a relay', () => {
  test('passes what comes, byte for byte, also what came before it began', () => {
    client.early = text('early', KEY);
    relay.start();
    const up = Buffer.concat([text('one', KEY), text('two', KEY)]);
    const down = text('three');
    for (const byte of up) client.send(Buffer.from([byte]));
    upstream.send(down);
    expect(upstream.received).toEqual(Buffer.concat([client.early, up]));
    expect(client.received).toEqual(down);
    expect([relay.bytesIn, relay.bytesOut]).toEqual([client.early.length + up.length, down.length]);
  });

  test('stops reading a side while the other takes nothing', () => {
    relay.start();
    upstream.takes = false;
    client.send(text('x', KEY));
    expect([client.paused, upstream.paused]).toEqual([true, false]);
    upstream.send(text('y'));
    expect(client.frames).toHaveLength(1);
    relay.onTunnelDrain(upstream);
    expect(client.paused).toBe(false);
  });

  test('lets the two sides close by themselves, and then ends the client', () => {
    relay.start();
    client.send(close(4000, KEY));
    upstream.send(text('still on its way'));
    expect(client.frames).toHaveLength(1);
    expect(client.ended).toBe(false);
    upstream.send(close(4000));
    expect([client.code, upstream.code]).toEqual([4000, 4000]);
    expect(client.ended).toBe(true);
    upstream.finish();
    expect(upstream.ended).toBe(true);
    expect([relay.end, relay.closeCode]).toEqual(['closed', 4000]);
  });

  test('passes nothing after a Close', () => {
    relay.start();
    client.send(Buffer.concat([close(1000, KEY), text('late', KEY)]));
    client.send(text('later', KEY));
    expect(upstream.received).toEqual(close(1000, KEY));
  });

  test('cuts sides that do not end after a Close', () => {
    relay.start();
    upstream.send(close(1000));
    pass(5100);
    expect([client.destroyed, upstream.destroyed]).toEqual([true, true]);
  });
});

describe('who breaks the rules is sent away, and the other one told', () => {
  test.each([
    ['a client', () => client.send(text('x')), 'client-fault', 1002, 1001],
    ['an upstream', () => upstream.send(text('x', KEY)), 'upstream-fault', 1011, 1002],
    ['a client with too much', () => client.send(text('x'.repeat(MAX + 1), KEY)), 'client-too-big', 1009, 1009],
    ['an upstream with too much', () => upstream.send(text('x'.repeat(MAX + 1))), 'upstream-too-big', 1009, 1009],
  ])('%s', (_name, misbehave, end, clientCode, upstreamCode) => {
    relay.start();
    misbehave();
    expect([client.code, upstream.code]).toEqual([clientCode, upstreamCode]);
    expect(upstream.frames.at(-1)?.masked).toBe(true);
    expect(client.frames.at(-1)?.masked).toBe(false);
    expect(relay.end).toBe(end);
    const bad = end.startsWith('client') ? client : upstream;
    const good = bad === client ? upstream : client;
    expect([bad.ended, good.ended]).toEqual([true, false]);
    good.send(close(1000, good === client ? KEY : null));
    expect(good.ended).toBe(true);
  });

  test('with a Close only when the frame that is under way is whole', () => {
    relay.start();
    const long = text('from the upstream');
    upstream.send(long.subarray(0, 5));
    client.send(text('not masked'));
    expect(client.received).toEqual(long.subarray(0, 5));
    expect(client.ended).toBe(false);
    upstream.send(Buffer.concat([long.subarray(5), text('not passed any more')]));
    expect(client.received.subarray(0, long.length)).toEqual(long);
    expect(client.frames.map(({ opcode, code }) => [opcode, code])).toEqual([
      [1, null],
      [8, 1002],
    ]);
    expect(client.ended).toBe(true);
  });

  test('by the Close that was under way, where there was one', () => {
    relay.start();
    const closing = close(1000, null, 'bye');
    upstream.send(closing.subarray(0, 3));
    client.send(text('not masked'));
    upstream.send(closing.subarray(3));
    expect(client.received).toEqual(closing);
    expect(client.ended).toBe(true);
  });

  test('or cut, when that frame will never be whole', () => {
    relay.start();
    upstream.send(text('from the upstream').subarray(0, 5));
    client.send(text('not masked'));
    upstream.finish();
    expect(client.destroyed).toBe(true);
  });
});

describe('silence', () => {
  test('of both sides ends a socket with 1001', () => {
    relay.start();
    pass(IDLE + 50);
    expect([client.code, upstream.code, relay.end]).toEqual([1001, 1001, 'idle']);
    client.send(close(1001, KEY));
    upstream.send(close(1001));
    expect([client.ended, upstream.ended]).toEqual([true, true]);
  });

  test.each([
    ['a ping of the client', () => client.send(frame({ opcode: 9, mask: KEY }))],
    ['a pong of the upstream', () => upstream.send(frame({ opcode: 10 }))],
    ['half a frame', () => client.send(text('x', KEY).subarray(0, 1))],
  ])('is broken by %s', (_name, speak) => {
    relay.start();
    pass(IDLE - 100);
    speak();
    pass(IDLE - 100);
    expect(relay.end).toBeNull();
    pass(300);
    expect(relay.end).toBe('idle');
  });

  test('within a frame ends the other side, and then cuts', () => {
    relay.start();
    client.send(text('never whole', KEY).subarray(0, 8));
    pass(IDLE + 50);
    expect(client.code).toBe(1001);
    expect(upstream.frames).toHaveLength(0);
    pass(5100);
    expect(upstream.destroyed).toBe(true);
  });
});

describe('a side that goes away', () => {
  test('without a Close of the upstream is told to the client by 1011', () => {
    relay.start();
    upstream.finish();
    expect([client.code, relay.end, client.ended]).toEqual([1011, 'upstream-gone', true]);
  });

  test('within a frame of the upstream can only be shown to the client by a cut', () => {
    relay.start();
    upstream.send(text('from the upstream').subarray(0, 5));
    upstream.gone();
    expect(client.destroyed).toBe(true);
  });

  test('without a Close of the client is passed on as that', () => {
    relay.start();
    client.gone();
    expect(upstream.received).toHaveLength(0);
    expect([upstream.ended, relay.end, relay.closeCode]).toEqual([true, 'client-gone', 1006]);
  });

  test('is read again, when it was not because of the other', () => {
    relay.start();
    upstream.takes = false;
    client.send(text('x', KEY));
    upstream.finish();
    expect(client.paused).toBe(false);
  });
});

describe('going away', () => {
  test('sends 1001 to both at its time, whatever is sent until then', () => {
    relay.start();
    relay.goAwayIn(500);
    pass(400);
    client.send(text('busy', KEY));
    expect(client.code).toBeUndefined();
    pass(200);
    expect([client.code, upstream.code, relay.end, relay.closeCode]).toEqual([1001, 1001, 'drain', 1001]);
  });

  test('waits for answers until it is told to end', () => {
    relay.start();
    relay.goAwayIn(0);
    pass(50);
    pass(60_000);
    expect([client.destroyed, upstream.destroyed]).toEqual([false, false]);
    relay.destroy();
    expect([client.destroyed, upstream.destroyed]).toEqual([true, true]);
  });

  test('does not wait for the upstream when the client has gone', () => {
    relay.start();
    relay.goAwayIn(0);
    pass(50);
    client.send(close(1001, KEY));
    client.finish();
    pass(5100);
    expect(upstream.destroyed).toBe(true);
  });

  test('comes too late where the socket is being closed', () => {
    relay.start();
    client.send(close(1000, KEY));
    relay.goAwayIn(0);
    pass(100);
    expect([relay.end, upstream.frames]).toEqual(['closed', [expect.objectContaining({ code: 1000 })]]);
  });
});

describe('whatever comes, in whatever order', () => {
  const mask = (side: Peer): Buffer | null => (side === client ? KEY : null);
  /** What a side, or time, can do; the data are what it needs for it. */
  const doings: Record<string, (side: Peer, data: Buffer) => void> = {
    text: (side, data) => side.send(frame({ payload: data, mask: mask(side) })),
    part: (side, data) => {
      for (const byte of frame({ payload: data, mask: mask(side) }).subarray(0, data.length))
        side.send(Buffer.from([byte]));
    },
    bytes: (side, data) => side.send(data),
    close: (side) => side.send(close(1000, mask(side))),
    stall: (side) => {
      side.takes = false;
    },
    drain: (side) => {
      side.takes = true;
      relay.onTunnelDrain(side);
    },
    finish: (side) => side.finish(),
    gone: (side) => side.gone(),
    leave: () => relay.goAwayIn(100),
    wait: () => pass(300),
    waitLong: () => pass(6000),
  };
  const step = fc.record({
    fromClient: fc.boolean(),
    doing: fc.constantFrom('text', 'text', 'part', 'bytes', ...Object.keys(doings)),
    data: fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
  });

  test('each side gets whole frames, at most one Close, and nothing after it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (script) => {
        begin();
        relay.start();
        for (const { fromClient, doing, data } of script) {
          const side = fromClient ? client : upstream;
          // A peer whose tunnel is closed says no more.
          if (side.sink !== null) doings[doing](side, data);
        }
        for (const peer of [client, upstream]) {
          const scanner = new FrameScanner(peer === upstream, MAX, NO_RSV);
          expect(scanner.scan(peer.received, 0, peer.received.length)).toBe(peer.received.length);
          expect(scanner.fault).toBe(0);
        }
        // Silence ends what nothing else has, and who does not answer is cut; a drain has its bound elsewhere.
        for (let i = 0; i < 3; i++) pass(6000);
        for (const peer of [client, upstream]) {
          if (relay.end !== 'drain') expect(peer.destroyed || peer.sink === null).toBe(true);
        }
        client.gone();
        upstream.gone();
        expect(ended).toBe(1);
      }),
      { numRuns: 1000 },
    );
  });
});
