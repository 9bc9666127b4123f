/** The stream of events, for clients that stay, that come back, and that are gone. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Timers } from '../../base/clock.ts';
import { silentLogger } from '../../base/logger.ts';
import { EventLog, type GatewayEvent } from '../../observability/events.ts';
import { ask, closeAll, sourceWith, start } from '../admin.test.support.ts';
import { createAdmin } from '../server.ts';

const clock = { now: () => 0, wall: () => 1_700_000_000_000 };
const AT = '2023-11-14T22:13:20.000Z';

function health(endpoint: string): GatewayEvent {
  return { type: 'health', service: 'users', endpoint, healthy: false, reason: 'it said 500' };
}

afterEach(closeAll);

/** A client of the stream that collects what it is sent. */
class Listener {
  readonly socket: Socket;
  received = '';

  constructor(port: number, lastEventId?: string) {
    this.socket = connect(port, '127.0.0.1').setEncoding('utf8');
    this.socket.on('data', (piece: string) => (this.received += piece));
    this.socket.on('error', () => {});
    const seen = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`;
    this.socket.write(`GET /events HTTP/1.1\r\nHost: localhost\r\n${seen}\r\n`);
  }

  /** What came after the head, without the chunks' lengths. */
  get body(): string {
    const head = this.received.indexOf('\r\n\r\n');
    if (head < 0) return '';
    return this.received
      .slice(head + 4)
      .replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, '')
      .replace(/\r\n$/, '');
  }

  /** The body, once it holds `expected`. */
  async until(expected: string): Promise<string> {
    while (!this.body.includes(expected)) await once(this.socket, 'data');
    return this.body;
  }
}

describe('the stream of events', () => {
  it('tells each event with id, kind and data, as it happens', async () => {
    const log = new EventLog(clock);
    log.emit(health('before'));
    const listener = new Listener(await start({ source: sourceWith({ events: log }) }));
    expect(await listener.until('retry')).toBe('retry: 2000\n\n');
    expect(listener.received).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*Content-Type: text\/event-stream\r\n/);
    log.emit(health('127.0.0.1:1'));
    log.emit({ type: 'config', result: 'applied', generation: 2 });
    log.emit({ type: 'worker', pid: 7, state: 'ended', reason: 'signal SIGKILL' });
    expect(await listener.until('SIGKILL')).toBe(
      'retry: 2000\n\n' +
        `id: loyw3v28-2\nevent: health\ndata: {"at":"${AT}","service":"users","endpoint":"127.0.0.1:1","healthy":false,"reason":"it said 500"}\n\n` +
        `id: loyw3v28-3\nevent: config\ndata: {"at":"${AT}","result":"applied","generation":2}\n\n` +
        `id: loyw3v28-4\nevent: worker\ndata: {"at":"${AT}","pid":7,"state":"ended","reason":"signal SIGKILL"}\n\n`,
    );
  });

  it('begins with what came after the event that the client saw', async () => {
    const log = new EventLog(clock);
    for (const endpoint of ['a', 'b', 'c']) log.emit(health(endpoint));
    const listener = new Listener(await start({ source: sourceWith({ events: log }) }), 'loyw3v28-2');
    const body = await listener.until('"c"');
    expect(body.match(/^id: .*$/gm)).toEqual(['id: loyw3v28-3']);
    expect(body).not.toContain('event: missed');
  });

  it('says that something may be missing to who saw an event of another process', async () => {
    const log = new EventLog(clock);
    log.emit(health('a'));
    const listener = new Listener(await start({ source: sourceWith({ events: log }) }), 'other-77');
    expect(await listener.until('"a"')).toMatch(
      /^retry: 2000\n\nevent: missed\ndata: \{\}\n\nid: loyw3v28-1\nevent: health/,
    );
  });

  it('sends a comment every 15 seconds, and none to who is gone', async () => {
    const set: { callback: () => void; milliseconds: number }[] = [];
    const timers: Timers = {
      setTimeout: (callback, milliseconds) => set.push({ callback, milliseconds }) - 1,
      clearTimeout: (handle) => void delete set[handle as number],
    };
    const log = new EventLog(clock);
    const listener = new Listener(await start({ source: sourceWith({ events: log }), timers }));
    await listener.until('retry');
    expect(set.map(({ milliseconds }) => milliseconds)).toEqual([15_000]);
    set[0].callback();
    set[1].callback();
    expect(await listener.until(':\n\n:\n\n')).toBe('retry: 2000\n\n:\n\n:\n\n');
    const gone = new Promise<void>((resolve) => {
      const watched = timers.clearTimeout;
      timers.clearTimeout = (handle) => {
        watched(handle);
        resolve();
      };
    });
    listener.socket.destroy();
    await gone;
    expect(set[2]).toBeUndefined();
  });

  it('has room for a bounded number of clients, and for another one when one leaves', async () => {
    const log = new EventLog(clock, { kept: 1, followers: 2 });
    const port = await start({ source: sourceWith({ events: log }) });
    const listeners = [new Listener(port), new Listener(port)];
    for (const listener of listeners) await listener.until('retry');
    const refused = await ask(port, '/events');
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(JSON.parse(refused.body).code).toBe('overloaded');
    expect((await ask(port, '/status')).status).toBe(200);
    listeners[0].socket.destroy();
    while (log.full) await new Promise((turn) => setImmediate(turn));
    await new Listener(port).until('retry');
  });

  it('drops a client that does not read, and keeps the others', async () => {
    const log = new EventLog(clock);
    const port = await start({ source: sourceWith({ events: log }) });
    const reading = new Listener(port);
    const stuck = new Listener(port);
    await Promise.all([reading.until('retry'), stuck.until('retry')]);
    stuck.socket.pause();
    const large = 'x'.repeat(64 * 1024);
    // The kernel takes some megabytes for who does not read; then its part here is used up.
    let sent = 0;
    for (; sent < 300; sent++) {
      log.emit(health(`${large}-${sent}-`));
      reading.received = '\r\n\r\n';
      await reading.until(`-${sent}-`);
    }
    expect(reading.socket.destroyed).toBe(false);
    stuck.socket.resume();
    await new Promise((resolve) => stuck.socket.on('close', resolve));
    expect(stuck.received).not.toContain('-299-');
  });

  it('is refused while the gateway stops', async () => {
    const refused = await ask(await start({ source: sourceWith({ ready: () => false }) }), '/events');
    expect([refused.status, JSON.parse(refused.body).code]).toEqual([503, 'draining']);
  });

  it('answers HEAD without beginning', async () => {
    const log = new EventLog(clock, { kept: 1, followers: 1 });
    const head = await ask(await start({ source: sourceWith({ events: log }) }), '/events', { method: 'HEAD' });
    expect([head.status, head.headers['content-type'], head.body]).toEqual([200, 'text/event-stream', '']);
    expect(log.full).toBe(false);
  });

  it('ends at once when the listener closes or the gateway begins to stop', async () => {
    const log = new EventLog(clock);
    const options = {
      address: { host: '127.0.0.1', port: 0 },
      source: sourceWith({ events: log }),
      logger: silentLogger,
    };
    const admin = createAdmin(options);
    const { port } = await admin.listen();
    const first = new Listener(port);
    await first.until('retry');
    const firstEnded = once(first.socket, 'end');
    admin.endLasting();
    // What happens before the client has closed is for nobody, and no fault.
    log.emit(health('too late'));
    await firstEnded;
    expect(first.received).not.toContain('too late');
    const second = new Listener(port);
    await second.until('retry');
    const secondEnded = once(second.socket, 'end');
    const lastCall = vi.spyOn(admin.server as Server, 'closeAllConnections');
    await Promise.all([admin.close(), secondEnded]);
    expect(lastCall).not.toHaveBeenCalled();
    expect(second.received.endsWith('0\r\n\r\n')).toBe(true);
  });

  it('is cut at once when the listener closes before a client that does not read', async () => {
    const log = new EventLog(clock);
    const admin = createAdmin({
      address: { host: '127.0.0.1', port: 0 },
      source: sourceWith({ events: log }),
      logger: silentLogger,
    });
    const { port } = await admin.listen();
    const stuck = new Listener(port);
    await stuck.until('retry');
    stuck.socket.pause();
    for (let i = 0; i < 200; i++) {
      log.emit(health('x'.repeat(64 * 1024)));
      await new Promise((turn) => setImmediate(turn));
    }
    const lastCall = vi.spyOn(admin.server as Server, 'closeAllConnections');
    await admin.close();
    expect(lastCall).not.toHaveBeenCalled();
    stuck.socket.destroy();
  });
});

it('other clients of the listener read whole answers meanwhile', async () => {
  const log = new EventLog(clock);
  const port = await start({ source: sourceWith({ events: log }) });
  await new Listener(port).until('retry');
  const socket = connect(port, '127.0.0.1');
  socket.end('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect(await text(socket)).toContain('{"status":"alive"}');
});
