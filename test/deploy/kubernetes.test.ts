/** The plain manifests: they fit each other and the gateway, and each check of that can fail. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { faultsOf } from './manifest-faults.ts';
import { documentsOf, MANIFESTS, type Manifest, manifestFiles, packageVersion, plainManifests } from './places.ts';

test('nothing is wrong with them', () => {
  expect(faultsOf(plainManifests())).toEqual([]);
});

test('the list holds every one but the example of the Secret, and the image of this version', () => {
  const [list] = documentsOf(readFileSync(join(MANIFESTS, 'kustomization.yaml'), 'utf8'));
  const others = manifestFiles().filter((name) => !['kustomization.yaml', 'secret.example.yaml'].includes(name));
  expect([...list.resources].sort()).toEqual(others.sort());
  const image = plainManifests().find(({ kind }) => kind === 'Deployment').spec.template.spec.containers[0].image;
  expect(list.images).toMatchObject([{ name: image, newTag: packageVersion() }]);
});

test('the token in the example is none', () => {
  const secret = plainManifests().find(({ kind }) => kind === 'Secret');
  expect(secret.stringData).toEqual({ token: '' });
});

interface Parts {
  deployment: Manifest;
  pod: Manifest;
  container: Manifest;
  service: Manifest;
  scaler: Manifest;
  budget: Manifest;
  map: Manifest;
}

describe('a mistake is found:', () => {
  const inFile = (from: string | RegExp, to: string) => (parts: Parts) => {
    const before: string = parts.map.data['portico.yaml'];
    const after = before.replace(from, to);
    expect(after).not.toBe(before);
    parts.map.data['portico.yaml'] = after;
  };
  const of = (kind: string, manifests: Manifest[]): Manifest => manifests.find((manifest) => manifest.kind === kind);

  test.each<[string, (parts: Parts, manifests: Manifest[]) => void, RegExp]>([
    ['a thing twice', ({ service }, all) => all.push(service), /Service portico stands there twice/],
    ['a selector', ({ deployment }) => (deployment.spec.selector.matchLabels.x = 'y'), /does not select its own pods/],
    ['an empty selector', ({ deployment }) => (deployment.spec.selector.matchLabels = {}), /does not select its own/],
    ['a spread', ({ pod }) => (pod.topologySpreadConstraints[1].labelSelector.matchLabels = {}), /spread.*hostname/],
    ['a service’s selector', ({ service }) => (service.spec.selector.x = 'y'), /Service portico selects 0/],
    ['a budget’s selector', ({ budget }) => (budget.spec.selector.matchLabels.x = 'y'), /Budget portico selects 0/],
    ['a service’s port', ({ service }) => (service.spec.ports[0].targetPort = 'htp'), /no container has the port htp/],
    ['admin for clients', ({ service }) => (service.spec.ports[0].targetPort = 'admin'), /no listener stands behind/],
    ['a port number', ({ container }) => (container.ports[0].containerPort = 8081), /nothing listens on 8081/],
    ['a probe’s path', ({ container }) => (container.livenessProbe.httpGet.path = '/healthz'), /admin does not have/],
    ['a probe with token', ({ container }) => (container.readinessProbe.httpGet.path = '/status'), /needs a token/],
    [
      'readiness as life',
      ({ container }) => (container.livenessProbe.httpGet.path = '/readyz'),
      /\/readyz, not \/livez/,
    ],
    [
      'a probe’s port',
      ({ container }) => (container.startupProbe.httpGet.port = 'http'),
      /startupProbe asks port http/,
    ],
    ['no probe', ({ container }) => delete container.readinessProbe, /readinessProbe asks undefined/],
    [
      'a short grace',
      ({ pod }) => (pod.terminationGracePeriodSeconds = 35),
      /killed after 35 s, and needs more than 35/,
    ],
    ['no grace', ({ pod }) => delete pod.terminationGracePeriodSeconds, /is killed after undefined/],
    ['a long stop', inFile('timeout: 30s', 'timeout: 41s'), /is killed after 45 s, and needs more than 46/],
    ['a broken file', inFile('version: 1', 'version: 2'), /config: line 1: /],
    ['a route in vain', inFile('path: /hello', 'pathRegex: "(?!a)"'), /config: line \d+/],
    ['admin on loopback', inFile('0.0.0.0:9901', '127.0.0.1:9901'), /admin is on loopback/],
    ['admin without token', inFile(/token: .*/, ''), /admin_without_token/],
    ['admin off', inFile(/admin:\n.*\n.*\n/, 'admin: false\n'), /the admin listener is off/],
    ['another admin port', inFile('0.0.0.0:9901', '0.0.0.0:9902'), /admin listens on 9902/],
    ['a token elsewhere', inFile('/run/secrets/portico/token', '/run/token'), /unresolved_reference/],
    ['a listener on loopback', inFile('0.0.0.0:8080', '127.0.0.1:8080'), /listener public is on loopback/],
    ['a file elsewhere', ({ container }) => (container.args[2] = '/portico.yaml'), /starts with \/portico.yaml/],
    ['another command', ({ container }) => (container.args[0] = 'run'), /Deployment portico runs run/],
    ['a lost volume', ({ pod }) => pod.volumes.pop(), /mounts tmp, which is no volume/],
    ['an idle volume', ({ container }) => container.volumeMounts.pop(), /does not mount tmp/],
    ['subPath', ({ container }) => (container.volumeMounts[0].subPath = 'portico.yaml'), /never updated/],
    ['no ConfigMap', ({ map }) => (map.metadata.name = 'other'), /there is no ConfigMap portico/],
    ['no Secret', ({ pod }) => (pod.volumes[1].secret.secretName = 'other'), /there is no Secret other/],
    ['no account', ({ pod }) => (pod.serviceAccountName = 'other'), /there is no ServiceAccount other/],
    ['root', ({ pod }) => (pod.securityContext.runAsUser = 0), /may run as root/],
    ['root again', ({ container }) => (container.securityContext.runAsUser = 0), /undoes/],
    ['no seccomp', ({ pod }) => delete pod.securityContext.seccompProfile, /has no seccomp profile/],
    ['a token of the cluster', ({ pod }) => delete pod.automountServiceAccountToken, /gets a token of the cluster/],
    ['a writable root', ({ container }) => delete container.securityContext.readOnlyRootFilesystem, /can be written/],
    ['escalation', ({ container }) => delete container.securityContext.allowPrivilegeEscalation, /may gain privileges/],
    ['capabilities', ({ container }) => (container.securityContext.capabilities = {}), /has capabilities/],
    ['no requests', ({ container }) => delete container.resources.requests, /lacks requests/],
    ['no limit', ({ container }) => delete container.resources.limits.memory, /lacks requests, or a limit/],
    ['a scaler of nothing', ({ scaler }) => (scaler.spec.scaleTargetRef.name = 'other'), /scales what is not there/],
    ['replicas twice', ({ deployment }) => (deployment.spec.replicas = 3), /sets replicas against/],
    ['a minimum', ({ scaler }) => (scaler.spec.minReplicas = 11), /a minimum above its maximum/],
    ['a budget of all', ({ budget }) => (budget.spec.maxUnavailable = 2), /lets 2 of 2 go at once/],
    ['a budget of none', ({ budget }) => (budget.spec.maxUnavailable = 0), /lets 0 of 2 go at once/],
  ])('%s', (_, spoil, said) => {
    const manifests = plainManifests();
    const deployment = of('Deployment', manifests);
    const pod = deployment.spec.template.spec;
    const parts: Parts = {
      deployment,
      pod,
      container: pod.containers[0],
      service: of('Service', manifests),
      scaler: of('HorizontalPodAutoscaler', manifests),
      budget: of('PodDisruptionBudget', manifests),
      map: of('ConfigMap', manifests),
    };
    spoil(parts, manifests);
    expect(faultsOf(manifests).join('\n')).toMatch(said);
  });
});
