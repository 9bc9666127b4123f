/** Bytes pass both ways, ends pass each way, and neither side is read faster than the other takes it. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { turn } from '../../test/support/waiting.ts';
import type { Clock } from '../base/clock.ts';
import { TICK, TimerWheel } from '../base/timer-wheel.ts';
import { Relay, type RelayEnd } from './relay.ts';

const opened: { destroy(): unknown }[] = [];

afterEach(() => {
  for (const one of opened.splice(0)) one.destroy();
});

/** Two ends of one connection: that of a far side, and that of the relay. */
async function pair(): Promise<{ far: Socket; near: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const far = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [near] = (await accepted) as [Socket];
  await once(far, 'connect').catch(() => {});
  server.close();
  far.on('error', () => {});
  opened.push(far, near);
  return { far, near };
}

class ManualClock implements Clock {
  time = 1000;
  now = (): number => this.time;
  wall = (): number => this.time;
}

async function start(idleTimeout = 60_000) {
  const [client, upstream] = await Promise.all([pair(), pair()]);
  const clock = new ManualClock();
  const wheel = new TimerWheel(clock);
  const tallyIn = { value: 0 };
  const tallyOut = { value: 0 };
  const ends: RelayEnd[] = [];
  let tell: (reason: RelayEnd) => void = () => {};
  const ended = new Promise<RelayEnd>((resolve) => (tell = resolve));
  const onEnd = (reason: RelayEnd): void => {
    ends.push(reason);
    tell(reason);
  };
  const relay = new Relay(client.near, upstream.near, { wheel, idleTimeout, tallyIn, tallyOut, onEnd });
  const sockets = [client.near, upstream.near];
  return { client: client.far, upstream: upstream.far, relay, wheel, clock, ends, ended, tallyIn, tallyOut, sockets };
}

/** How the far side sees the end. */
function endOf(socket: Socket): Promise<'end' | 'reset'> {
  return new Promise((resolve) => {
    socket.on('end', () => resolve('end')).on('error', () => resolve('reset'));
    socket.resume();
  });
}

async function textUntilEnd(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (part) => (text += part));
  await once(socket, 'end');
  return text;
}

describe('a relay', () => {
  test('passes both ways what was written, and each end on its own; and is over when both are', async () => {
    const { client, upstream, relay, wheel, ends, ended, sockets, tallyIn, tallyOut } = await start();
    const asked = textUntilEnd(upstream);
    client.end('question');
    expect(await asked).toBe('question');
    expect([ends, sockets.map(({ destroyed }) => destroyed)]).toEqual([[], [false, false]]);
    const answered = textUntilEnd(client);
    upstream.write('an');
    upstream.end('swer');
    expect(await answered).toBe('answer');
    expect(await ended).toBe('ended');
    expect([relay.bytesIn, relay.bytesOut, tallyIn.value, tallyOut.value]).toEqual([8, 6, 8, 6]);
    expect([ends.length, wheel.length, sockets.every(({ destroyed }) => destroyed)]).toEqual([1, 0, true]);
  });

  test('passes on an end that came before it began', async () => {
    const [client, upstream] = await Promise.all([pair(), pair()]);
    client.near.read(0);
    client.far.end();
    await once(client.near, 'end');
    const wheel = new TimerWheel(new ManualClock());
    const tally = { value: 0 };
    const over = new Promise((onEnd) => {
      new Relay(client.near, upstream.near, { wheel, idleTimeout: 1000, tallyIn: tally, tallyOut: tally, onEnd });
    });
    expect(await endOf(upstream.far)).toBe('end');
    upstream.far.end();
    expect(await over).toBe('ended');
  });

  test.each(['client', 'upstream'] as const)('resets the other side when the %s goes away', async (who) => {
    const both = await start();
    const other = endOf(who === 'client' ? both.upstream : both.client);
    both[who].resetAndDestroy();
    expect([await other, await both.ended]).toEqual(['reset', `${who}-reset`]);
    expect([both.ends.length, both.wheel.length]).toEqual([1, 0]);
  });

  test('resets the side that could not be given everything', async () => {
    const { client, upstream, ended } = await start();
    upstream.write('x');
    await once(client, 'data');
    const other = endOf(upstream);
    // It has ended its own side in good order, and then takes nothing.
    client.end();
    client.destroy();
    await other;
    // The system tells of the reset with the write after the one that met it.
    let over = false;
    void ended.then(() => (over = true));
    while (!over && upstream.writable) {
      upstream.write('into the void');
      await turn();
    }
    expect(await ended).toBe('client-reset');
  });

  test('holds no more than the sockets themselves do, and then gives all', async () => {
    const { client, upstream, ended, relay, sockets } = await start();
    client.pause();
    const block = Buffer.alloc(256 * 1024, 'b');
    let written = 0;
    while (upstream.write(block) || upstream.writableLength < 32 * block.length) written += block.length;
    written += block.length;
    upstream.end();
    // When nothing moves any more, it is full.
    let before = -1;
    while (relay.bytesOut !== before) {
      before = relay.bytesOut;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(relay.bytesOut).toBeLessThan(written);
    const [near] = sockets;
    expect(near.writableLength).toBeLessThan(1024 * 1024);
    let taken = 0;
    client.on('data', (part) => (taken += part.length));
    client.resume();
    await once(client, 'end');
    client.end();
    expect([await ended, taken, relay.bytesOut]).toEqual(['ended', written, written]);
  });

  test('is cut when no byte moved for as long as it may be silent, and not before', async () => {
    const { client, upstream, clock, wheel, ends, ended } = await start(1000);
    for (let times = 0; times < 3; times++) {
      clock.time += 900;
      wheel.advance();
      const from = times % 2 === 0 ? client : upstream;
      const to = times % 2 === 0 ? upstream : client;
      from.write('x');
      await once(to, 'data');
    }
    clock.time += 900;
    wheel.advance();
    expect(ends).toEqual([]);
    const seen = [endOf(client), endOf(upstream)];
    clock.time += 200 + 2 * TICK;
    wheel.advance();
    expect([await Promise.all(seen), await ended, wheel.length]).toEqual([['reset', 'reset'], 'idle', 0]);
  });

  test('is cut at once by who owns it, once', async () => {
    const { client, upstream, relay, ended, ends, wheel } = await start();
    const seen = [endOf(client), endOf(upstream)];
    relay.destroy();
    relay.destroy();
    expect([await Promise.all(seen), await ended, ends.length, wheel.length]).toEqual([
      ['reset', 'reset'],
      'cut',
      1,
      0,
    ]);
  });
});
