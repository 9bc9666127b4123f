/** Sessions of TLS: resumed wherever the same gateway serves, until what seals their tickets is another one. */
import { once } from 'node:events';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock, systemTimers, type Timers } from '../../src/base/clock.ts';
import { Inheritance } from '../../src/base/inherited.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { TICKET_PERIOD } from '../../src/base/ticket-seed.ts';
import { bestSharing } from '../../src/gateway/workers/sockets.ts';
import { Supervisor } from '../../src/gateway/workers/supervisor.ts';
import { createAuthority, trusting } from '../support/certificates.ts';
import { configOf, configWith, startTestGateway } from '../support/gateway.ts';

const authority = createAuthority();
const issued = { a: authority.issue({ names: ['a.test'] }), b: authority.issue({ names: ['b.test'] }) };
const clients = createAuthority('Clients');
const anna = clients.issue({ names: ['anna.example'], client: true });
const files = {
  'a.crt': issued.a.cert,
  'a.key': issued.a.key,
  'b.crt': issued.b.cert,
  'b.key': issued.b.key,
  'clients.crt': clients.ca,
};

const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

function configFor(tls: object = {}, port = 0): object {
  const certificates = ['a', 'b'].map((name) => ({ certFile: `${name}.crt`, keyFile: `${name}.key` }));
  return configWith({
    listener: { address: `127.0.0.1:${port}`, tls: { certificates, ...tls } },
    routes: [{ name: 'all', match: { pathPrefix: '/' }, respond: { status: 200, body: 'ok' } }],
  });
}

/** Timers of the system, but for the one of tickets, whose time comes when it is said. */
function ticketTimers() {
  const waiting = new Set<() => void>();
  const timers: Timers = {
    setTimeout(callback, milliseconds) {
      if (milliseconds < TICKET_PERIOD - 60_000 || milliseconds > TICKET_PERIOD)
        return systemTimers.setTimeout(callback, milliseconds);
      waiting.add(callback);
      return callback;
    },
    clearTimeout(handle) {
      if (!waiting.delete(handle as () => void)) systemTimers.clearTimeout(handle);
    },
  };
  const renew = (): void => {
    const due = [...waiting];
    waiting.clear();
    for (const callback of due) callback();
  };
  return { timers, renew, waiting };
}

async function start(tls: object = {}, more: Parameters<typeof startTestGateway>[4] = {}) {
  const { timers, renew, waiting } = ticketTimers();
  const started = await startTestGateway(configFor(tls), [], undefined, files, { timers, ...more });
  opened.push(started);
  const reload = async (changed: object): Promise<unknown> =>
    started.gateway.apply(await configOf(configFor(changed, started.port), [], files), { force: true });
  return { ...started, renew, waiting, reload };
}

interface Visit {
  readonly resumed: boolean;
  readonly session: Buffer;
}

/** One connection with one answer. Rejects when there is none. */
async function visit(port: number, options: ConnectionOptions): Promise<Visit> {
  const socket = connect({ port, host: '127.0.0.1', ...trusting(authority), ...options });
  opened.push({ close: () => socket.destroy() });
  // The newer version hands sessions out after the handshake.
  const told = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const [answer] = (await Promise.race([
    once(socket, 'data'),
    once(socket, 'close').then(() => Promise.reject(new Error('closed'))),
  ])) as [Buffer];
  expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 200 /);
  const resumed = socket.isSessionReused();
  // One that is resumed is given no other ticket.
  const late = socket.getProtocol() === 'TLSv1.3' && !resumed;
  const visited = { resumed, session: late ? await told : (socket.getSession() as Buffer) };
  socket.destroy();
  return visited;
}

describe.each<[string, ConnectionOptions]>([
  ['TLSv1.2', { maxVersion: 'TLSv1.2' }],
  ['TLSv1.3', {}],
  ['TLSv1.2 for a name with a certificate of its own', { maxVersion: 'TLSv1.2', servername: 'b.test' }],
  ['TLSv1.3 for a name with a certificate of its own', { servername: 'b.test' }],
])('a session of %s', (_, client) => {
  test('is resumed at another process with the same seed, and at none with another', async () => {
    const seed = (): { seed: Uint8Array; left: number } => ({ seed: new Uint8Array(32).fill(7), left: TICKET_PERIOD });
    const [one, two, other] = await Promise.all([
      start({}, { tickets: seed() }),
      start({}, { tickets: seed() }),
      start(),
    ]);
    const { session } = await visit(one.port, client);
    expect((await visit(two.port, { ...client, session })).resumed).toBe(true);
    expect((await visit(other.port, { ...client, session })).resumed).toBe(false);
  });

  test('is not resumed after a renewal; one that begins then is', async () => {
    const { port, renew } = await start();
    const { session } = await visit(port, client);
    expect((await visit(port, { ...client, session })).resumed).toBe(true);
    for (let period = 0; period < 2; period++) {
      renew();
      const { resumed, session: next } = await visit(port, { ...client, session });
      expect(resumed).toBe(false);
      expect((await visit(port, { ...client, session: next })).resumed).toBe(true);
    }
  });

  test('is resumed after reloads, also such as change the certificates', async () => {
    const { port, reload } = await start();
    const { session } = await visit(port, client);
    await reload({});
    expect((await visit(port, { ...client, session })).resumed).toBe(true);
    await reload({ handshakeTimeout: '9s' });
    expect((await visit(port, { ...client, session })).resumed).toBe(true);
  });

  test('is not resumed when a renewal comes while a reload is prepared', async () => {
    const { gateway, port, renew } = await start();
    const { session } = await visit(port, client);
    const config = await configOf(configFor({ handshakeTimeout: '9s' }, port), [], files);
    const prepared = await gateway.prepare(config);
    renew();
    prepared.commit();
    const { resumed, session: next } = await visit(port, { ...client, session });
    expect(resumed).toBe(false);
    expect((await visit(port, { ...client, session: next })).resumed).toBe(true);
  });

  test('with an identity begins anew after a renewal: the certificate is asked for again', async () => {
    const { port, renew } = await start({ clientCertificates: { caFile: 'clients.crt' } });
    const own = { ...client, cert: anna.cert, key: anna.key };
    const { session } = await visit(port, own);
    // It goes on with what it has shown.
    expect((await visit(port, { ...client, session })).resumed).toBe(true);
    renew();
    await expect(visit(port, { ...client, session })).rejects.toThrow();
    const { resumed, session: next } = await visit(port, { ...own, session });
    expect(resumed).toBe(false);
    expect((await visit(port, { ...own, session: next })).resumed).toBe(true);
  });
});

/** As OpenSSL writes what it knows of a session: the lifetime that the server named, in seconds, is number 9. */
function lifetimeOf(session: Buffer): number {
  const [, seconds] = /a9(?:03|04|05)02(?:01|02|03)((?:..){1,3})aa/.exec(session.toString('hex')) ?? [];
  return Number.parseInt(seconds ?? '', 16);
}

test.each([
  ['90s', 90],
  ['11h', 39_600],
  ['12h', 43_200],
  ['1d', 43_200],
])('with a sessionTimeout of %s tickets are given for %i seconds', async (sessionTimeout, seconds) => {
  const { port } = await start({ sessionTimeout });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { session } = await visit(port, { maxVersion });
    expect([maxVersion, lifetimeOf(session)]).toEqual([maxVersion, seconds]);
  }
});

test('nothing is left to be renewed when a gateway has ended', async () => {
  const [stopped, abandoned] = await Promise.all([start(), start()]);
  expect([stopped.waiting.size, abandoned.waiting.size]).toEqual([1, 1]);
  await stopped.gateway.stop(0);
  abandoned.gateway.abandon();
  expect([stopped.waiting.size, abandoned.waiting.size]).toEqual([0, 0]);
});

test('workers resume each other’s sessions, and renew together', async () => {
  const { timers, renew, waiting } = ticketTimers();
  const supervisor = new Supervisor(2, {
    clock: systemClock,
    timers,
    logger: silentLogger,
    random: Math.random,
    version: '0.0.0-test',
    sharing: bestSharing(),
    inherited: new Inheritance(),
    onLines: () => {},
  });
  opened.push({ close: () => supervisor.abandon() });
  const config = await configOf(configFor(), [], files);
  await supervisor.apply(config);
  const { port } = supervisor.addresses[0];
  /** So many that no worker is passed over. */
  const resumedOf = async (session: Buffer): Promise<boolean[]> => {
    const visits = await Promise.all(Array.from({ length: 12 }, () => visit(port, { session })));
    return [...new Set(visits.map(({ resumed }) => resumed))];
  };
  const { session } = await visit(port, {});
  expect(await resumedOf(session)).toEqual([true]);
  renew();
  // Whoever has answered has heard what was said before.
  await supervisor.status();
  expect(await resumedOf(session)).toEqual([false]);
  const { session: next } = await visit(port, {});
  expect(await resumedOf(next)).toEqual([true]);
  // Those that begin later are told, too.
  await supervisor.apply(config, { workers: 3 });
  expect(await resumedOf(next)).toEqual([true]);
  expect(await supervisor.stop(0)).toBe(0);
  expect(waiting.size).toBe(0);
});
