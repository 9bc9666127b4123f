/** The manifests under the Kubernetes project's own schemas, in their strict form: no field that does not exist. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hasHelm, rendered } from './chart.ts';
import { MANIFESTS, manifestFiles, REQUIRED } from './places.ts';

/** The Python package that carries the schemas. */
const VALIDATOR = ['-m', 'kubernetes_validate'];
/** The oldest Kubernetes that the chart's kubeVersion lets in, and the newest that is looked at. */
const VERSIONS = ['1.25', '1.37'];
const { stdout: version } = spawnSync('python3', [...VALIDATOR, '--version'], { encoding: 'utf8' });
const newest = /(\d+)\.(\d+)\.\d+/.exec(version ?? '');
const hasValidator = newest !== null && Number(newest[1]) === 1 && Number(newest[2]) >= 37;

const directory = mkdtempSync(join(tmpdir(), 'portico-schemas-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The findings; empty when there are none. Throws when fewer documents were looked at than wanted. */
function validate(version: string, files: readonly string[], documents: number): string {
  const args = [...VALIDATOR, '--strict', '-k', version, ...files];
  const { status, stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
  const lines = `${stdout}${stderr}`.split('\n');
  if (status !== 0) return lines.filter((line) => !line.startsWith('INFO')).join('\n');
  expect(lines.filter((line) => line.startsWith('INFO')).length).toBe(documents);
  return '';
}

describe.skipIf(!hasValidator && !REQUIRED).each(VERSIONS)(
  'with kubernetes-validate, where it is installed, Kubernetes %s takes',
  (version) => {
    const plain = manifestFiles().filter((name) => name !== 'kustomization.yaml');

    test('the plain manifests', () => {
      const files = plain.map((name) => join(MANIFESTS, name));
      expect(validate(version, files, plain.length)).toBe('');
    });

    test.skipIf(!hasHelm && !REQUIRED)('the chart', () => {
      const file = join(directory, 'chart.yaml');
      writeFileSync(file, rendered());
      expect(validate(version, [file], 8)).toBe('');
    });

    test.each([
      ['readinessProbe:', 'readynessProbe:'],
      ['maxSurge: 1', 'maxSurge: [1]'],
      ['periodSeconds: 1\n', 'periodSeconds: 1s\n'],
      ['  selector:', '  selectors:'],
    ])('not %j as %j', (from, to) => {
      const text = readFileSync(join(MANIFESTS, 'deployment.yaml'), 'utf8');
      expect(text).toContain(from);
      const file = join(directory, 'wrong.yaml');
      writeFileSync(file, text.replace(from, to));
      expect(validate(version, [file], 1)).not.toBe('');
    });
  },
);
