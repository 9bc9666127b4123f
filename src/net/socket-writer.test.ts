/** Text on its way to a peer that reads when it likes, that goes away, or that was told goodbye. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Signal, turn } from '../../test/support/waiting.ts';
import { DIRECT_WRITES, SocketWriter } from './socket-writer.ts';

const MIB = 1024 * 1024;
/** More than the kernel keeps for a connection over loopback, both sides' buffers together. */
const FLOOD = 40;

let server: Server;
const opened: Socket[] = [];

beforeAll(async () => {
  // As the gateway's listeners: nothing of an accepted socket is read before somebody asks.
  server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  server.close();
});

afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy();
});

/** A peer that reads nothing until it is told to. */
class Peer {
  readonly socket: Socket;
  readonly signal = new Signal();
  private readonly pieces: string[] = [];
  length = 0;
  ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('end', () => {
      this.ended = true;
      this.signal.notify();
    });
  }

  read(): void {
    if (this.socket.listenerCount('data') === 0) {
      this.socket.on('data', (bytes: Buffer) => {
        this.pieces.push(bytes.toString('latin1'));
        this.length += bytes.length;
        this.signal.notify();
      });
    }
    this.socket.resume();
  }

  async untilLength(length: number): Promise<string> {
    await this.signal.until(
      () => this.length >= length,
      () => `${length} bytes; ${this.length} came`,
    );
    return this.pieces.join('');
  }

  untilEnded(): Promise<boolean> {
    return this.signal.until(() => this.ended, 'the end');
  }
}

interface Pair {
  readonly socket: Socket;
  readonly writer: SocketWriter;
  readonly peer: Peer;
  readonly errors: NodeJS.ErrnoException[];
  readonly closed: Promise<unknown>;
  /** How often the writer said that there is room again. */
  drains(): number;
  untilDrained(): Promise<unknown>;
}

async function pair(direct: boolean): Promise<Pair> {
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' });
  far.pause();
  const [[socket]] = (await Promise.all([once(server, 'connection'), once(far, 'connect')])) as [[Socket], unknown];
  opened.push(far, socket);
  const signal = new Signal();
  let drains = 0;
  const writer = new SocketWriter(
    socket,
    () => {
      drains++;
      signal.notify();
    },
    direct,
  );
  const errors: NodeJS.ErrnoException[] = [];
  socket.on('error', (error) => errors.push(error));
  return {
    socket,
    writer,
    peer: new Peer(far),
    errors,
    closed: new Promise((resolve) => socket.once('close', resolve)),
    drains: () => drains,
    untilDrained: () => signal.until(() => drains > 0, 'a drain'),
  };
}

/** Text that shows where a piece is missing, doubled or misplaced; all of latin1 is in it. */
function text(seed: number, length: number): string {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0, state = seed * 2654435761; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    bytes[i] = state >>> 16;
  }
  return bytes.toString('latin1');
}

const piece = text(0, MIB);

function flood(write: (piece: string) => unknown): string {
  for (let i = 0; i < FLOOD; i++) write(piece);
  return piece.repeat(FLOOD);
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

type Step = { write: number } | { socket: number } | { buffer: number } | 'cork' | 'uncork' | 'read' | 'turn';

const size = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 500 }) },
  // About the 16 KiB up to which Node.js encodes on its stack, and above which it does not.
  { weight: 1, arbitrary: fc.integer({ min: 16_380, max: 16_390 }) },
  { weight: 2, arbitrary: fc.integer({ min: MIB, max: 4 * MIB }) },
);
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ write: size }) },
    { weight: 2, arbitrary: fc.record({ socket: size }) },
    { weight: 2, arbitrary: fc.record({ buffer: size }) },
    { weight: 4, arbitrary: fc.constantFrom<Step>('cork', 'uncork', 'turn') },
    { weight: 1, arbitrary: fc.constant<Step>('read') },
  ),
  { minLength: 5, maxLength: 25 },
);

test('this runtime lets sockets be written to directly', () => {
  expect(DIRECT_WRITES).toBe(true);
});

describe.each([
  ['direct', true],
  ['through the Writable', false],
])('a writer, %s', (_, direct) => {
  test('uses its own way', async () => {
    const { socket, writer, peer } = await pair(direct);
    const written = vi.spyOn(socket, 'write');
    expect(writer.write('a')).toBe(true);
    expect(written).toHaveBeenCalledTimes(direct ? 0 : 1);
    peer.read();
    expect(await peer.untilLength(1)).toBe('a');
  });

  test('keeps the order of all that is written, however it is', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list: readonly Step[]) => {
        const { socket, writer, peer } = await pair(direct);
        const sent: string[] = [];
        let corked = 0;
        for (const [i, step] of list.entries()) {
          if (step === 'cork') {
            socket.cork();
            corked++;
          } else if (step === 'uncork') {
            socket.uncork();
            corked = Math.max(0, corked - 1);
          } else if (step === 'read') peer.read();
          else if (step === 'turn') await turn();
          else {
            const [[how, length]] = Object.entries(step);
            const content = text(i + 1, length);
            sent.push(content);
            if (how === 'write') writer.write(content);
            else if (how === 'socket') socket.write(content, 'latin1');
            else socket.write(Buffer.from(content, 'latin1'));
          }
        }
        for (; corked > 0; corked--) socket.uncork();
        peer.read();
        socket.end();
        await peer.untilEnded();
        const whole = sent.join('');
        // Not by `toBe`: nobody wants to read the difference of megabytes.
        expect((await peer.untilLength(whole.length)) === whole).toBe(true);
        socket.destroy();
      }),
      { numRuns: 30 },
    );
  });

  const ways: [string, (pair: Pair) => string][] = [
    ['its own writes', ({ writer }) => flood((part) => writer.write(part))],
    [
      'its own writes and then the socket',
      ({ writer, socket }) => flood((part) => writer.write(part)) + flood((part) => socket.write(part, 'latin1')),
    ],
    [
      'the socket and then its own writes',
      ({ writer, socket }) => flood((part) => socket.write(part, 'latin1')) + flood((part) => writer.write(part)),
    ],
    [
      'what the kernel took from the socket at once, and then its own writes',
      ({ writer, socket }) => {
        const taken = text(1, 20_000);
        socket.write(taken, 'latin1');
        return taken + flood((part) => writer.write(part));
      },
    ],
    [
      'corked writes',
      ({ writer, socket }) => {
        writer.write('first');
        socket.cork();
        const all = flood((part) => socket.write(part, 'latin1')) + flood((part) => writer.write(part));
        socket.uncork();
        return `first${all}`;
      },
    ],
  ];

  test.each(ways)('says once that there is room again, filled by %s', async (_way, fill) => {
    const one = await pair(direct);
    const { writer, peer } = one;
    const all = fill(one);
    expect(writer.write('last')).toBe(false);
    await turns(20);
    expect([writer.congested, one.drains()]).toEqual([true, 0]);
    peer.read();
    await one.untilDrained();
    expect(writer.congested).toBe(false);
    const whole = `${all}last`;
    expect((await peer.untilLength(whole.length)) === whole).toBe(true);
    await turns(20);
    expect(one.drains()).toBe(1);
    expect(writer.write('more')).toBe(true);
  });

  test('passes on what was written before the end', async () => {
    const { socket, writer, peer, errors, closed } = await pair(direct);
    const all = flood((part) => writer.write(part));
    socket.destroySoon();
    peer.read();
    await peer.untilEnded();
    expect((await peer.untilLength(all.length)) === all).toBe(true);
    peer.socket.end();
    await closed;
    expect(errors).toEqual([]);
  });

  test.each([
    ['with nothing on its way', false],
    ['with writes on their way', true],
  ])('ends the socket with the system error when the peer resets, %s', async (_way, busy) => {
    const one = await pair(direct);
    const { socket, writer, peer } = one;
    if (busy) flood((part) => writer.write(part));
    await turn();
    peer.socket.resetAndDestroy();
    // Nobody reads: it takes a write to see the reset, and one that is under way must do.
    while (!busy && !socket.destroyed) {
      await turn();
      writer.write('is anybody there?');
    }
    await one.closed;
    expect(one.errors).toHaveLength(1);
    expect(one.errors[0]).toBeInstanceOf(Error);
    expect(['ECONNRESET', 'EPIPE']).toContain(one.errors[0].code);
    expect(one.errors[0]).toMatchObject({ syscall: 'write', message: `write ${one.errors[0].code}` });
    await turns(5);
    expect(one.drains()).toBe(0);
    expect(writer.write('late')).toBe(false);
  });

  const endings: [string, (socket: Socket) => void, string[]][] = [
    ['destroyed', (socket) => socket.destroy(), []],
    ['ended', (socket) => socket.end(), ['ERR_STREAM_WRITE_AFTER_END']],
  ];

  test.each(endings)('writes nothing to a socket that was %s', async (_way, end, codes) => {
    const { socket, writer, peer, errors, closed, drains } = await pair(direct);
    expect(writer.write('before')).toBe(true);
    end(socket);
    expect(writer.write('after')).toBe(false);
    peer.read();
    await closed;
    await turns(5);
    expect(errors.map(({ code }) => code)).toEqual(codes);
    expect(drains()).toBe(0);
    expect(await peer.untilLength(6)).toBe('before');
  });

  test('tells nobody of writes that a destroyed socket took with it', async () => {
    const { socket, writer, errors, closed, drains } = await pair(direct);
    flood((part) => writer.write(part));
    socket.destroy();
    await closed;
    await turns(5);
    expect(errors).toEqual([]);
    expect(drains()).toBe(0);
  });
});
