/** The Helm chart as manifests, rendered by Helm itself. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHART } from './places.ts';

export const hasHelm: boolean = spawnSync('helm', ['version'], { stdio: 'ignore' }).status === 0;

/** The Kubernetes that the chart is rendered for: without one a build of Helm from source takes a very old one. */
const KUBERNETES = '1.31.0';

/** Runs `helm COMMAND CHART` with these values. */
export function helm(
  command: readonly string[],
  values: object = {},
): { status: number | null; out: string; error: string } {
  const directory = mkdtempSync(join(tmpdir(), 'portico-helm-'));
  try {
    const file = join(directory, 'values.json');
    writeFileSync(file, JSON.stringify(values));
    const { status, stdout, stderr } = spawnSync(
      'helm',
      [...command, CHART, '--kube-version', KUBERNETES, '--values', file],
      {
        encoding: 'utf8',
        // No settings, repositories or clusters of whoever runs the tests.
        env: { PATH: process.env.PATH, HOME: directory, KUBECONFIG: join(directory, 'none') },
      },
    );
    return { status, out: stdout, error: stderr };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The manifests as text; throws with Helm's words when it refuses. */
export function rendered(values: object = {}): string {
  const { status, out, error } = helm(['template', 'test'], values);
  if (status !== 0) throw new Error(error);
  return out;
}
