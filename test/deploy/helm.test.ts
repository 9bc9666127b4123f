/** The chart: its values fit their schema, and what Helm makes of them passes what the plain manifests pass. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { hasHelm, helm, rendered } from './chart.ts';
import { faultsOf } from './manifest-faults.ts';
import { CHART, documentsOf, type Manifest, packageVersion, plainManifests, REQUIRED } from './places.ts';

function read(name: string): string {
  return readFileSync(join(CHART, name), 'utf8');
}

const schema = z.fromJSONSchema(JSON.parse(read('values.schema.json')));
const defaults = (): Manifest => parse(read('values.yaml'));

test('the chart is of this version', () => {
  expect(parse(read('Chart.yaml')).appVersion).toBe(packageVersion());
});

test('the defaults fit the schema', () => {
  expect(schema.safeParse(defaults()).error?.issues).toBeUndefined();
});

const wrong: [string, (values: Manifest) => void][] = [
  ['an unknown value', (values) => (values.imge = {})],
  ['an unknown value within', (values) => (values.image.tagg = 'x')],
  ['a digest', (values) => (values.image.digest = 'sha256:1')],
  ['a type', (values) => (values.replicas = 'two')],
  ['the chart’s own keys in the file', (values) => (values.config.admin = {})],
  ['shutdown in the file', (values) => (values.config.shutdown = { timeout: '1h' })],
  ['a listener on loopback', (values) => (values.config.listeners[0].address = '127.0.0.1:8080')],
  ['a listener on any port', (values) => (values.config.listeners[0].address = '0.0.0.0:0')],
  ['a listener’s name that is no port’s', (values) => (values.config.listeners[0].name = 'public_http')],
  ['a short token', (values) => (values.admin.token = 'short')],
  ['an address of admin', (values) => (values.admin.config.address = '0.0.0.0:1')],
  ['no port', (values) => (values.service.ports = [])],
  ['a budget of none', (values) => (values.podDisruptionBudget.maxUnavailable = 0)],
];

test.each(wrong)('the schema refuses %s', (_, spoil) => {
  const values = defaults();
  spoil(values);
  expect(schema.safeParse(values).success).toBe(false);
});

describe.skipIf(!hasHelm && !REQUIRED)('rendered by Helm, where it is installed', () => {
  test('the chart passes its lint', () => {
    const { status, out, error } = helm(['lint', '--strict']);
    expect([status, error]).toEqual([0, '']);
    expect(out).toContain('0 chart(s) failed');
  });

  const secret = { kind: 'Secret', metadata: { name: 'given' }, data: { 'admin.token': 'eA==' } };
  const account = { kind: 'ServiceAccount', metadata: { name: 'given' } };
  test.each<[string, object, Manifest[]]>([
    ['the defaults', {}, []],
    ['a fixed number', { autoscaling: { enabled: false }, replicas: 3 }, []],
    ['other names', { fullnameOverride: 'edge', nameOverride: 'gw' }, []],
    ['a longer stop', { preStopSeconds: 15, shutdown: { drainSeconds: 20, timeoutSeconds: 120 } }, []],
    ['no preStop', { preStopSeconds: 0 }, []],
    ['a Secret of one’s own', { admin: { existingSecret: 'given', secretKey: 'admin.token' } }, [secret]],
    ['a token', { admin: { token: 'a-token-of-sixteen-characters' } }, []],
    ['an account of one’s own', { serviceAccount: { create: false, name: 'given' } }, [account]],
    [
      'two listeners, other ports',
      {
        admin: { port: 9999 },
        config: {
          listeners: [
            { name: 'public', address: ':80' },
            { name: 'inner', address: '[::]:8443' },
          ],
        },
        service: {
          type: 'NodePort',
          annotations: { a: 'b' },
          ports: [
            { name: 'http', port: 80, listener: 'public', nodePort: 30080 },
            { name: 'inner', port: 8443, listener: 'inner' },
          ],
        },
      },
      [],
    ],
    [
      'every other value',
      {
        image: { repository: 'registry.example/portico', digest: `sha256:${'0'.repeat(64)}`, pullPolicy: 'Always' },
        imagePullSecrets: [{ name: 'pull' }],
        topologySpread: { enabled: false },
        nodeSelector: { disk: 'ssd' },
        tolerations: [{ operator: 'Exists' }],
        affinity: { nodeAffinity: {} },
        priorityClassName: 'high',
        podDisruptionBudget: { enabled: false },
        podLabels: { team: 'edge' },
        podAnnotations: { note: 'a: b' },
        serviceAccount: { annotations: { role: 'x' } },
        env: [{ name: 'A', value: '1' }],
        envFrom: [{ configMapRef: { name: 'more' } }],
        extraVolumes: [{ name: 'more', emptyDir: {} }],
        extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
        config: {
          limits: { concurrentRequests: 1_000_000 },
          services: [{ name: 'users', endpoints: ['http://users:80'] }],
          routes: [
            { name: 'users', match: { pathPrefix: '/users', headers: { 'x-on': 'true' } }, service: 'users' },
            { name: 'text', match: { path: '/text' }, respond: { body: 'a\n{{ b }}\n\n: c' } },
          ],
        },
      },
      [],
    ],
  ])('%s make manifests with which nothing is wrong', (_, values, others) => {
    const manifests = documentsOf(rendered(values));
    expect(manifests.length).toBeGreaterThan(5);
    expect(faultsOf([...manifests, ...others])).toEqual([]);
  });

  test.each(wrong)('Helm refuses %s', (_, spoil) => {
    const values = defaults();
    spoil(values);
    expect(() => rendered(values)).toThrow(/schema/);
  });

  test('a port of a listener that is not there is refused', () => {
    const ports = [{ name: 'http', port: 80, listener: 'other' }];
    expect(() => rendered({ service: { ports } })).toThrow('config.listeners has no listener "other"');
  });

  test('what changes `admin` makes new pods, what the running ones take over does not', () => {
    const podOf = (values: object): Manifest => {
      return documentsOf(rendered(values)).find(({ kind }) => kind === 'Deployment').spec.template;
    };
    expect(podOf({ config: { limits: { concurrentRequests: 5 } } })).toEqual(podOf({}));
    expect(podOf({ admin: { existingSecret: 'given' } })).not.toEqual(podOf({}));
  });

  test('the defaults are the plain manifests', () => {
    // Names, labels and the image differ.
    const essence = (manifests: Manifest[]): unknown => {
      const of = (kind: string): Manifest => manifests.find((manifest) => manifest.kind === kind).spec;
      const { strategy, template } = of('Deployment');
      const { terminationGracePeriodSeconds, securityContext, containers } = template.spec;
      const { args, lifecycle, resources, volumeMounts, securityContext: own, ...rest } = containers[0];
      const probes = [rest.startupProbe, rest.readinessProbe, rest.livenessProbe].map(({ httpGet, ...times }) => {
        return { path: httpGet.path, ...times };
      });
      const { scaleTargetRef: _, ...scaling } = of('HorizontalPodAutoscaler');
      const { maxUnavailable } = of('PodDisruptionBudget');
      const text = manifests.find(({ kind }) => kind === 'ConfigMap').data['portico.yaml'];
      return [
        strategy,
        [terminationGracePeriodSeconds, securityContext, own],
        [args, lifecycle, resources, volumeMounts, probes],
        [scaling, maxUnavailable],
        parse(text),
      ];
    };
    expect(essence(documentsOf(rendered()))).toEqual(essence(plainManifests()));
  });
});
