/** The systemd unit: it runs commands that there are, gives the gateway time to stop, and systemd itself takes it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkCommand } from '../../src/cli/check.ts';
import { parseCommandArgs } from '../../src/cli/command.ts';
import { startCommand } from '../../src/cli/start.ts';
import { checkedConfig } from './config-faults.ts';
import { readText } from './dockerfile.ts';
import { DEPLOY, REQUIRED } from './places.ts';

const unit = readText(join(DEPLOY, 'systemd', 'portico.service'));
const FILE = '/etc/portico/portico.yaml';

function values(key: string): string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value);
}

test('it starts, checks and reloads the same file', () => {
  const [program, ...start] = values('ExecStart')[0].split(' ').slice(1);
  expect(program).toBe('/opt/portico/bin/portico.js');
  expect(start[0]).toBe(startCommand.name);
  expect(parseCommandArgs(startCommand, start.slice(1)).text('config')).toBe(FILE);
  const [check, signal] = values('ExecReload');
  const [name, ...args] = check.split(' ').slice(2);
  expect(name).toBe(checkCommand.name);
  expect(parseCommandArgs(checkCommand, args).positionals).toEqual([FILE]);
  expect(signal).toBe('/bin/kill -HUP $MAINPID');
});

test('it waits longer than a gateway takes to stop by default, and only then kills', () => {
  const { config } = checkedConfig('version: 1\nlisteners: [{ name: l, address: ":80" }]\n');
  expect(Number(values('TimeoutStopSec')[0]) * 1000).toBeGreaterThan(config?.shutdown.timeout ?? Infinity);
  expect([values('KillSignal'), values('KillMode')]).toEqual([['SIGTERM'], ['mixed']]);
});

test('it leaves V8 its compiler', () => {
  expect(values('MemoryDenyWriteExecute')).toEqual([]);
});

// Older ones do not know every key of the unit, and cannot judge one that is not loaded.
const OLDEST = 250;
const said = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout ?? '';
const hasSystemd = Number(/^systemd (\d+)/.exec(said)?.[1] ?? 0) >= OLDEST;

describe.skipIf(!hasSystemd && !REQUIRED)('systemd, where it is installed,', () => {
  const directory = mkdtempSync(join(tmpdir(), 'portico-systemd-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function analyze(args: readonly string[], text: string): { status: number | null; said: string } {
    const file = join(directory, 'portico.service');
    // It looks whether the programs are there, which on this machine may be elsewhere.
    writeFileSync(file, text.replace(/\/usr\/bin\/node|\/bin\/kill/g, process.execPath));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', [...args, file], { encoding: 'utf8' });
    return { status, said: `${stdout}${stderr}` };
  }

  test('takes it without a word', () => {
    expect(analyze(['verify', '--man=no'], unit)).toEqual({ status: 0, said: '' });
  });

  test('would complain of a key that does not exist', () => {
    expect(analyze(['verify', '--man=no'], unit.replace('ProtectHome=', 'ProtectHom=')).said).toContain('ProtectHom');
  });

  test('counts its exposure among the least', () => {
    const args = ['security', '--offline=true', '--no-pager', '--threshold=15'];
    expect(analyze(args, unit).status).toBe(0);
    expect(analyze(args, unit.replace('CapabilityBoundingSet=\n', '')).status).not.toBe(0);
  });
});
