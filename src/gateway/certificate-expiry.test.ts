/** What metrics and log say of certificates that end. */
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createAuthority, type IssuedCertificate } from '../../test/support/certificates.ts';
import { type LogFields, silentLogger } from '../base/logger.ts';
import { parseConfigText } from '../config/load.ts';
import type { GatewayConfig } from '../config/model.ts';
import { ManualTime } from '../upstream/manual-time.test.support.ts';
import { CertificateExpiry } from './certificate-expiry.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const authority = createAuthority();

function setUp() {
  const time = new ManualTime();
  const lines: [string, LogFields | undefined][] = [];
  const logger = { ...silentLogger, warn: (message: string, fields?: LogFields) => void lines.push([message, fields]) };
  const expiry = new CertificateExpiry({ clock: time, timers: time, logger });
  const issue = (name: string, days: number, notBefore = time.wall()): IssuedCertificate =>
    authority.issue({ names: [name], days, notBefore: new Date(notBefore) });
  return { time, lines, expiry, issue };
}

function configOf(certificates: readonly IssuedCertificate[], client?: IssuedCertificate): GatewayConfig {
  const files: Record<string, string> = {};
  const add = (name: string, { cert, key }: IssuedCertificate) => {
    files[resolve(`${name}.crt`)] = cert;
    files[resolve(`${name}.key`)] = key;
    return { certFile: `${name}.crt`, keyFile: `${name}.key` };
  };
  const text = JSON.stringify({
    version: 1,
    admin: false,
    listeners: [
      {
        name: 'secure',
        address: '127.0.0.1:0',
        tls: { certificates: certificates.map((pair, i) => add(`c${i}`, pair)) },
      },
    ],
    services:
      client === undefined ? [] : [{ name: 'users', endpoints: ['https://127.0.0.1:1'], tls: add('client', client) }],
  });
  const { config, findings } = parseConfigText(text, { files });
  if (config === null) throw new Error(JSON.stringify(findings));
  return config;
}

describe('the metric', () => {
  test('has the seconds left of every certificate that is shown, at the moment it is asked', async () => {
    const { time, expiry, issue } = setUp();
    expiry.follow(configOf([issue('a.example', 30), issue('b.example', 20)], issue('gateway', 40)));
    await time.pass(21 * DAY);
    expect([...expiry.samples()]).toEqual([
      { listener: 'secure', service: '', name: 'b.example', seconds: expect.closeTo((-1 * DAY) / 1000, -1) },
      { listener: 'secure', service: '', name: 'a.example', seconds: expect.closeTo((9 * DAY) / 1000, -1) },
      { listener: '', service: 'users', name: 'gateway', seconds: expect.closeTo((19 * DAY) / 1000, -1) },
    ]);
    expiry.follow(configOf([issue('c.example', 1)]));
    expect([...expiry.samples()].map(({ name }) => name)).toEqual(['c.example']);
  });

  test('gives first, of two of one name, the one that ends first', () => {
    const { expiry, issue } = setUp();
    expiry.follow(configOf([issue('a.example', 90), issue('a.example', 30)]));
    const [first, second] = [...expiry.samples()].map(({ seconds }) => seconds);
    expect(first).toBeLessThan(second);
  });
});

describe('the log', () => {
  test('tells of what ends soon at the start, once a day, and within the hour when it comes to be', async () => {
    const { time, lines, expiry, issue } = setUp();
    const soon = issue('a.example', 1.9);
    const later = issue('b.example', 15);
    expiry.follow(configOf([soon, later], issue('gateway', 400)));
    expect(lines).toEqual([
      [
        'a certificate expires soon',
        {
          listener: 'secure',
          name: 'a.example',
          file: 'c0.crt',
          expires: expect.any(String),
          days_left: expect.any(Number),
        },
      ],
    ]);
    await time.pass(23 * HOUR);
    expect(lines).toHaveLength(1);
    // A reload does not tell it again.
    expiry.follow(configOf([soon, later]));
    expect(lines).toHaveLength(1);
    await time.pass(3 * HOUR);
    expect(lines.slice(1).map(([message, fields]) => [message, fields?.name])).toEqual([
      ['a certificate expires soon', 'a.example'],
      ['a certificate expires soon', 'b.example'],
    ]);
    await time.pass(DAY);
    expect(lines.slice(3).map(([message, fields]) => [message, fields?.name])).toEqual([
      ['a certificate has expired', 'a.example'],
      ['a certificate expires soon', 'b.example'],
    ]);
    // A new one in its place is fine.
    expiry.follow(configOf([issue('a.example', 60)]));
    await time.pass(40 * DAY);
    expect(lines).toHaveLength(5);
  });

  test('tells of one that does not hold yet, and of a service’s own', () => {
    const { time, lines, expiry, issue } = setUp();
    expiry.follow(configOf([issue('a.example', 30, time.wall() + 2 * DAY)], issue('gateway', 1)));
    expect(lines.map(([message, fields]) => [message, fields?.listener, fields?.service])).toEqual([
      ['a certificate is not valid yet', 'secure', undefined],
      ['a certificate expires soon', undefined, 'users'],
    ]);
  });

  test('says nothing more after the end, and leaves no timer', async () => {
    const { time, lines, expiry, issue } = setUp();
    expiry.follow(configOf([issue('a.example', 5)]));
    expiry.close();
    await time.pass(3 * DAY);
    expect([lines.length, time.pending]).toEqual([1, 0]);
  });
});
