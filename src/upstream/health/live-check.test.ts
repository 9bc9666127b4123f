/** Schedule, probe and service together against real servers that fall ill, hang, die and come back. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createServices } from '../create-services.ts';
import { ManualTime, settled } from '../manual-time.test.support.ts';
import { CHECK, FakePool, RecordingLogger, serviceConfig } from '../service.test.support.ts';
import type { Service } from '../service.ts';
import type { CheckOutcome } from './active-check.ts';
import { probeHttp } from './http-probe.ts';

const healthCheck = { ...CHECK, interval: 10_000, timeout: 2000, healthyAfter: 1, unhealthyAfter: 2 };
const well: RequestListener = (_, response) => response.end('ok');
const ill: RequestListener = (_, response) => response.writeHead(503).end();

let time: ManualTime;
let logger: RecordingLogger;
let server: Server;
let port: number;
let answer: RequestListener;
let service: Service<FakePool>;
let outcomes: Promise<CheckOutcome>[];

async function startServer(): Promise<void> {
  server = createServer((request, response) => answer(request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
}

async function stopServer(): Promise<void> {
  server.closeAllConnections();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
}

/** Lets the next check happen, to its outcome. */
async function check(): Promise<void> {
  await time.pass(time.untilNext);
  await outcomes.at(-1);
  await settled();
}

beforeEach(async () => {
  time = new ManualTime();
  logger = new RecordingLogger();
  outcomes = [];
  port = 0;
  answer = well;
  await startServer();
  const services = createServices([serviceConfig('users', [`http://127.0.0.1:${port}`], { healthCheck })], null, {
    clock: time,
    timers: time,
    logger,
    random: () => 0.5,
    createPool: () => new FakePool(),
    check: (endpoint, config, signal, service) => {
      const outcome = probeHttp(endpoint, config, signal, service);
      outcomes.push(outcome);
      return outcome;
    },
    onHealthChange: () => {},
  });
  service = services.get('users')!;
  service.commit();
});

afterEach(async () => {
  service.close();
  await stopServer();
});

describe('a server that is checked', () => {
  it('is down while it answers badly', async () => {
    await check();
    answer = ill;
    await check();
    expect(service.available).toHaveLength(1);
    await check();
    expect(service.available).toHaveLength(0);
    answer = well;
    await check();
    expect(service.available).toHaveLength(1);
    expect(logger.lines.map((line) => line.reason)).toEqual(['check failed: status 503', 'check passed: status 200']);
  });

  it('is down while it is gone, and comes back with a new process', async () => {
    await stopServer();
    await check();
    await check();
    expect(service.available).toHaveLength(0);
    expect(logger.lines[0].reason).toContain('ECONNREFUSED');
    await startServer();
    await check();
    expect(service.available).toHaveLength(1);
  });

  it('is down while it resets connections', async () => {
    answer = (request) => request.socket.resetAndDestroy();
    await check();
    await check();
    expect(service.available).toHaveLength(0);
  });

  it('is down while it hangs, by the timeout alone, and its connections are let go', async () => {
    const left: Promise<unknown>[] = [];
    answer = (request) => {
      left.push(new Promise((resolve) => request.socket.on('close', resolve)));
    };
    for (let i = 0; i < 2; i++) {
      const asked = once(server, 'request');
      await time.pass(time.untilNext);
      await asked;
      await time.pass(healthCheck.timeout);
      await outcomes.at(-1);
    }
    expect(service.available).toHaveLength(0);
    expect(logger.lines[0].reason).toBe('check failed: no answer within 2000 ms');
    await Promise.all(left);
    expect(left).toHaveLength(2);
  });

  it('is not slow before its time is up', async () => {
    let finish = (): void => {};
    answer = (_, response) => {
      finish = () => response.end();
    };
    for (let i = 0; i < 3; i++) {
      const asked = once(server, 'request');
      await time.pass(time.untilNext);
      await asked;
      await time.pass(healthCheck.timeout - 1);
      finish();
      expect((await outcomes.at(-1))?.passed).toBe(true);
      await settled();
    }
    expect(logger.lines).toEqual([]);
  });

  it('is left alone at once when the service ends during a check', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    answer = (request) => {
      closed = new Promise((resolve) => request.socket.on('close', resolve));
    };
    const asked = once(server, 'request');
    await time.pass(time.untilNext);
    await asked;
    service.close();
    await outcomes.at(-1);
    await closed;
    await settled();
    expect(time.pending).toBe(0);
    expect(logger.lines).toEqual([]);
  });
});
