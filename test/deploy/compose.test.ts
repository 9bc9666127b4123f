/** The Compose example: its parts fit each other, the image and the gateway's file, and its origins answer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseDuration } from '../../src/base/duration.ts';
import { parseCommandArgs } from '../../src/cli/command.ts';
import { startCommand } from '../../src/cli/start.ts';
import { checkedConfig } from './config-faults.ts';
import { all, execForm, readDockerfile, readText } from './dockerfile.ts';
import { DEPLOY, type Manifest } from './places.ts';

const FOLDER = join(DEPLOY, 'compose');
const { services, volumes }: Manifest = parse(readText(join(FOLDER, 'compose.yaml')), { merge: true });
const { gateway } = services;
const { config, faults } = checkedConfig(readText(join(FOLDER, 'config', 'portico.yaml')));

test('nothing is wrong with the gateway’s file', () => {
  expect(faults).toEqual([]);
});

test('every source of a mount is there, and every volume is declared', () => {
  for (const { volumes: mounts } of Object.values<Manifest>(services)) {
    for (const { type, source, read_only: readOnly } of mounts) {
      if (type === 'volume') expect(Object.keys(volumes)).toContain(source);
      else expect([source, existsSync(join(FOLDER, source)), readOnly]).toEqual([source, true, true]);
    }
  }
  expect(existsSync(join(FOLDER, gateway.build.context, gateway.build.dockerfile))).toBe(true);
});

test('the gateway reads the folder that is mounted', () => {
  const [command, ...args] = gateway.command;
  expect(command).toBe(startCommand.name);
  expect(parseCommandArgs(startCommand, args).text('config')).toBe('/etc/portico/portico.yaml');
  expect(gateway.volumes[0]).toMatchObject({ source: './config', target: '/etc/portico' });
});

test('its published port is a listener’s, its health is asked as the image does', () => {
  const targets = gateway.ports.map((port: string) => Number(port.split(':').at(-1)));
  expect(targets).toEqual(config?.listeners.map(({ address }) => address.port));
  const stages = readDockerfile(readText(join(DEPLOY, 'docker', 'Dockerfile')));
  const [, ...asked] = gateway.healthcheck.test;
  expect(asked).toEqual(execForm(all(stages[stages.length - 1], 'HEALTHCHECK')[0]));
  expect(asked.at(-1)).toBe(`http://127.0.0.1:${config?.admin?.address.port}`);
});

test('it is given time to stop', () => {
  expect(parseDuration(gateway.stop_grace_period)).toBeGreaterThan(config?.shutdown.timeout ?? Infinity);
});

test.each(Object.keys(services))('%s can write nowhere and has no capabilities', (name) => {
  expect(services[name]).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
  });
});

test('the upstreams are the origins that it waits for, and those answer', async () => {
  const urls = config?.services.flatMap(({ endpoints }) => endpoints.map(({ url }) => new URL(url))) ?? [];
  const origins = Object.keys(gateway.depends_on);
  expect(urls.map(({ hostname }) => hostname)).toEqual(origins);
  expect(Object.keys(services).sort()).toEqual(['gateway', ...origins].sort());
  const script = readText(join(FOLDER, 'origin.mjs'));
  for (const url of urls) expect(script).toContain(`?? ${url.port}`);
  const origin = spawn(process.execPath, [join(FOLDER, 'origin.mjs')], {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = await once(origin.stdout, 'data');
    const port = /origin on port (\d+)/.exec(String(line))?.[1];
    const answer = await fetch(`http://127.0.0.1:${port}/health`);
    expect(await answer.json()).toMatchObject({ method: 'GET', url: '/health' });
  } finally {
    origin.kill('SIGKILL');
  }
});
