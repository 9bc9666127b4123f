/** Changes of TLS that let somebody in, and those that do not. */
import { expect, test } from 'vitest';
import type { ValuePath } from '../source-tree.ts';
import { configOf } from './plan.test.support.ts';
import { planOf } from './plan.ts';
import { tlsLoss } from './tls-loss.ts';

const tls: ValuePath = ['listeners', 'l', 'tls'];
const required = { caFile: 'ca.crt', ca: '', verify: 'required', forward: false };

test.each<[ValuePath, unknown, unknown, string | undefined]>([
  [tls, { certificates: [] }, undefined, 'tls_removed'],
  [tls, undefined, { certificates: [] }, undefined],
  [[...tls, 'clientCertificates'], required, undefined, 'client_certificates_loosened'],
  [[...tls, 'clientCertificates'], { ...required, verify: 'optional' }, undefined, undefined],
  [[...tls, 'clientCertificates'], undefined, required, undefined],
  [[...tls, 'clientCertificates', 'verify'], 'required', 'optional', 'client_certificates_loosened'],
  [[...tls, 'clientCertificates', 'verify'], 'optional', 'required', undefined],
  [[...tls, 'minVersion'], 'TLSv1.3', 'TLSv1.2', undefined],
  [['services', 's', 'tls', 'verify'], true, false, 'upstream_unverified'],
  [['services', 's', 'tls', 'verify'], false, true, undefined],
  [['services', 's', 'tls'], undefined, { verify: false }, 'upstream_unverified'],
  [['services', 's', 'tls'], { verify: false }, undefined, undefined],
  [['services', 's', 'tls', 'serverName'], 'a', 'b', undefined],
])('%j from %j to %j', (path, before, after, code) => {
  expect(tlsLoss({ path, before, after })?.[0]).toBe(code);
});

test('a plan names it as a danger', () => {
  const services = (verify: boolean) => [{ name: 's', endpoints: ['https://127.0.0.1:9001'], tls: { verify } }];
  const routes = [{ name: 'r', match: {}, service: 's' }];
  const [change] = planOf(
    configOf({ services: services(true), routes }),
    configOf({ services: services(false), routes }),
  );
  expect(change).toMatchObject({
    severity: 'danger',
    code: 'upstream_unverified',
    path: 'services.s.tls.verify',
    message: 'service "s" may be anybody: its certificates are not looked at any more',
    before: true,
    after: false,
  });
});
