/**
 * What no schema sees: whether the manifests fit each other, the gateway's configuration in them, its admin listener and its
 * command line. Every check answers faults in words.
 */
import { ADMIN_ROUTES } from '../../src/admin/contract.ts';
import { isLoopback } from '../../src/base/address.ts';
import { parseCommandArgs } from '../../src/cli/command.ts';
import { startCommand } from '../../src/cli/start.ts';
import type { GatewayConfig } from '../../src/config/model.ts';
import { checkedConfig } from './config-faults.ts';
import type { Manifest } from './places.ts';

type Labels = Record<string, string>;

/** All that is wrong with the manifests of one gateway. */
export function faultsOf(manifests: readonly Manifest[]): string[] {
  const pods = podsOf(manifests);
  return [
    ...nameFaults(manifests),
    ...selectorFaults(manifests, pods),
    ...pods.flatMap((pod) => [...volumeFaults(pod, manifests), ...securityFaults(pod), ...resourceFaults(pod)]),
    ...gatewayFaults(manifests, pods),
    ...scalingFaults(manifests),
  ];
}

interface Pod {
  readonly owner: string;
  readonly labels: Labels;
  readonly spec: Manifest;
}

function podsOf(manifests: readonly Manifest[]): Pod[] {
  return manifests.flatMap(({ kind, metadata, spec }): Pod[] => {
    if (kind === 'Pod') return [{ owner: nameOf({ kind, metadata }), labels: metadata.labels ?? {}, spec }];
    if (kind !== 'Deployment') return [];
    const { template } = spec;
    return [{ owner: nameOf({ kind, metadata }), labels: template.metadata.labels ?? {}, spec: template.spec }];
  });
}

function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.name}`;
}

function named(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  return manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
}

function ofKind(manifests: readonly Manifest[], kind: string): Manifest[] {
  return manifests.filter((manifest) => manifest.kind === kind);
}

function fits(selector: Labels | undefined, labels: Labels): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([name, value]) => labels[name] === value);
}

function nameFaults(manifests: readonly Manifest[]): string[] {
  const names = manifests.map(nameOf);
  return names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} stands there twice`);
}

function selectorFaults(manifests: readonly Manifest[], pods: readonly Pod[]): string[] {
  const faults: string[] = [];
  for (const manifest of manifests) {
    const owner = nameOf(manifest);
    const { spec } = manifest;
    if (manifest.kind === 'Deployment') {
      const { labels } = pods.find((pod) => pod.owner === owner) as Pod;
      if (!fits(spec.selector.matchLabels, labels)) faults.push(`${owner} does not select its own pods`);
      for (const { topologyKey, labelSelector } of spec.template.spec.topologySpreadConstraints ?? []) {
        if (!fits(labelSelector.matchLabels, labels))
          faults.push(`${owner} does not spread its own pods over ${topologyKey}`);
      }
    }
    const selector: Labels | undefined =
      manifest.kind === 'Service'
        ? spec.selector
        : manifest.kind === 'PodDisruptionBudget'
          ? spec.selector.matchLabels
          : undefined;
    if (selector === undefined) continue;
    const selected = pods.filter((pod) => fits(selector, pod.labels));
    if (selected.length !== 1) faults.push(`${owner} selects ${selected.length} kinds of pods`);
    else if (manifest.kind === 'Service') faults.push(...servicePortFaults(manifest, selected[0]));
  }
  return faults;
}

function servicePortFaults(service: Manifest, { spec }: Pod): string[] {
  const ports: Manifest[] = spec.containers.flatMap((container: Manifest) => container.ports ?? []);
  return service.spec.ports
    .filter(
      ({ targetPort }: Manifest) =>
        !ports.some((port) => port.name === targetPort || port.containerPort === targetPort),
    )
    .map(({ targetPort }: Manifest) => `${nameOf(service)}: no container has the port ${targetPort}`);
}

function volumeFaults({ owner, spec }: Pod, manifests: readonly Manifest[]): string[] {
  const faults: string[] = [];
  const volumes = new Map<string, Manifest>((spec.volumes ?? []).map((volume: Manifest) => [volume.name, volume]));
  const used = new Set<string>();
  for (const { volumeMounts = [] } of spec.containers) {
    for (const { name, subPath } of volumeMounts) {
      used.add(name);
      if (!volumes.has(name)) faults.push(`${owner} mounts ${name}, which is no volume`);
      if (subPath !== undefined) faults.push(`${owner} mounts ${name} by subPath, which is never updated`);
    }
  }
  for (const [name, { configMap, secret }] of volumes) {
    if (!used.has(name)) faults.push(`${owner} does not mount ${name}`);
    if (configMap !== undefined && named(manifests, 'ConfigMap', configMap.name) === undefined) {
      faults.push(`${owner}: there is no ConfigMap ${configMap.name}`);
    }
    if (secret !== undefined && keysOf(named(manifests, 'Secret', secret.secretName)).length === 0) {
      faults.push(`${owner}: there is no Secret ${secret.secretName}`);
    }
  }
  const account = spec.serviceAccountName;
  if (account !== undefined && named(manifests, 'ServiceAccount', account) === undefined) {
    faults.push(`${owner}: there is no ServiceAccount ${account}`);
  }
  return faults;
}

function keysOf(secret: Manifest | undefined): string[] {
  return Object.keys({ ...secret?.data, ...secret?.stringData });
}

function securityFaults({ owner, spec }: Pod): string[] {
  const faults: string[] = [];
  const must = (holds: boolean, what: string): void => {
    if (!holds) faults.push(`${owner}: ${what}`);
  };
  const pod = spec.securityContext ?? {};
  must(pod.runAsNonRoot === true && pod.runAsUser > 0 && pod.runAsGroup > 0, 'may run as root');
  must(pod.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile');
  must(spec.automountServiceAccountToken === false, 'gets a token of the cluster');
  for (const { securityContext: own = {} } of spec.containers) {
    must(own.readOnlyRootFilesystem === true, 'has a root file system that can be written');
    must(own.allowPrivilegeEscalation === false, 'may gain privileges');
    must(own.capabilities?.drop?.includes('ALL') === true && own.capabilities.add === undefined, 'has capabilities');
    must(
      own.runAsUser === undefined && own.runAsNonRoot === undefined && own.privileged === undefined,
      'undoes the pod’s',
    );
  }
  return faults;
}

function resourceFaults({ owner, spec }: Pod): string[] {
  return spec.containers.flatMap(({ name, resources }: Manifest) => {
    const complete = resources?.requests?.cpu && resources.requests.memory && resources.limits?.memory;
    return complete ? [] : [`${owner}: ${name} lacks requests, or a limit of memory`];
  });
}

/** Everything that ties the pods of the gateway to its file, its admin listener and its command line. */
function gatewayFaults(manifests: readonly Manifest[], pods: readonly Pod[]): string[] {
  const gateways = pods.filter(({ owner }) => owner.startsWith('Deployment '));
  if (gateways.length !== 1) return [`${gateways.length} Deployments`];
  const [{ owner, spec, labels }] = gateways;
  const [container] = spec.containers;
  const files = mountedFiles(spec, manifests);
  const [name, ...args] = container.args as string[];
  if (name !== startCommand.name) return [`${owner} runs ${name}`];
  const file = parseCommandArgs(startCommand, args).text('config') ?? '';
  if (files[file] === undefined) return [`${owner} starts with ${file}, which is not mounted`];
  const { config, faults } = checkedConfig(files[file], files);
  if (config === null) return faults;
  const ports = new Map<unknown, number>();
  for (const port of container.ports) {
    ports.set(port.name, port.containerPort);
    ports.set(port.containerPort, port.containerPort);
  }
  faults.push(...probeFaults(owner, container, config, ports));
  faults.push(...listenerFaults(manifests, config, ports, labels));
  const listening = [config.admin, ...config.listeners].map((listener) => listener?.address.port);
  for (const { containerPort } of container.ports) {
    if (!listening.includes(containerPort)) faults.push(`${owner}: nothing listens on ${containerPort}`);
  }
  const preStop = Number(container.lifecycle?.preStop?.exec?.command?.[1] ?? 0);
  const needed = preStop + config.shutdown.timeout / 1000;
  if (!(spec.terminationGracePeriodSeconds > needed)) {
    faults.push(`${owner} is killed after ${spec.terminationGracePeriodSeconds} s, and needs more than ${needed}`);
  }
  return faults;
}

/** The files that the containers see, by path. Secrets are there with some token in them. */
function mountedFiles(spec: Manifest, manifests: readonly Manifest[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, mountPath } of spec.containers[0].volumeMounts) {
    const volume = spec.volumes.find((candidate: Manifest) => candidate.name === name);
    const content: Record<string, string> = named(manifests, 'ConfigMap', volume?.configMap?.name)?.data ?? {};
    for (const key of keysOf(named(manifests, 'Secret', volume?.secret?.secretName)))
      content[key] = 'a token of the test'.replaceAll(' ', '-');
    const items: { key: string; path: string }[] | undefined = (volume?.configMap ?? volume?.secret)?.items;
    for (const [key, text] of Object.entries(content)) {
      const path = items === undefined ? key : items.find((item) => item.key === key)?.path;
      if (path !== undefined) files[`${mountPath}/${path}`] = text;
    }
  }
  return files;
}

function probeFaults(
  owner: string,
  container: Manifest,
  { admin }: GatewayConfig,
  ports: ReadonlyMap<unknown, number>,
): string[] {
  const faults: string[] = [];
  if (admin === undefined) return [`${owner}: the admin listener is off, and cannot be probed`];
  if (isLoopback(admin.address.host)) faults.push(`${owner}: admin is on loopback, where the kubelet cannot ask`);
  for (const [probe, path] of [
    ['startupProbe', '/readyz'],
    ['readinessProbe', '/readyz'],
    ['livenessProbe', '/livez'],
  ]) {
    const asked = container[probe]?.httpGet;
    if (asked?.path !== path) faults.push(`${owner}: ${probe} asks ${asked?.path}, not ${path}`);
    const route = ADMIN_ROUTES.find((candidate) => candidate.method === 'GET' && candidate.path === asked?.path);
    if (route === undefined) faults.push(`${owner}: ${probe} asks what admin does not have`);
    else if (!route.open) faults.push(`${owner}: ${probe} asks what needs a token`);
    if (ports.get(asked?.port) !== admin.address.port) {
      faults.push(`${owner}: ${probe} asks port ${asked?.port}, and admin listens on ${admin.address.port}`);
    }
  }
  return faults;
}

/** Each port of a Service leads to a listener that the pod's network can reach. */
function listenerFaults(
  manifests: readonly Manifest[],
  config: GatewayConfig,
  ports: ReadonlyMap<unknown, number>,
  labels: Labels,
): string[] {
  const faults: string[] = [];
  const services = ofKind(manifests, 'Service').filter(({ spec }) => fits(spec.selector, labels));
  if (services.length === 0) faults.push('no Service leads to the gateway');
  for (const service of services) {
    for (const { targetPort } of service.spec.ports) {
      const listener = config.listeners.find(({ address }) => address.port === ports.get(targetPort));
      if (listener === undefined) faults.push(`${nameOf(service)}: no listener stands behind ${targetPort}`);
      else if (isLoopback(listener.address.host)) faults.push(`listener ${listener.name} is on loopback`);
    }
  }
  return faults;
}

function scalingFaults(manifests: readonly Manifest[]): string[] {
  const faults: string[] = [];
  for (const scaler of ofKind(manifests, 'HorizontalPodAutoscaler')) {
    const { scaleTargetRef, minReplicas, maxReplicas } = scaler.spec;
    const target = named(manifests, scaleTargetRef.kind, scaleTargetRef.name);
    if (target?.apiVersion !== scaleTargetRef.apiVersion) faults.push(`${nameOf(scaler)} scales what is not there`);
    else if (target.spec.replicas !== undefined)
      faults.push(`${nameOf(target)} sets replicas against ${nameOf(scaler)}`);
    if (minReplicas > maxReplicas) faults.push(`${nameOf(scaler)} has a minimum above its maximum`);
    for (const budget of ofKind(manifests, 'PodDisruptionBudget')) {
      const { maxUnavailable } = budget.spec;
      if (maxUnavailable === 0 || maxUnavailable >= minReplicas) {
        faults.push(`${nameOf(budget)} lets ${maxUnavailable} of ${minReplicas} go at once`);
      }
    }
  }
  return faults;
}
