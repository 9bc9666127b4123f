/** Everything that is checked across values, when each has been found sound for itself. */
import type { z } from 'zod';
import type { Steps } from '../base/slices.ts';
import { checkGateway } from './check-gateway.ts';
import { checkPublicKeys } from './check-public-keys.ts';
import { checkTls } from './check-tls.ts';
import type { Findings } from './findings.ts';
import type { PolicySchemas } from './policy-schemas.ts';
import type { GatewaySchema } from './schema.ts';
import { formatPath, type SourceTree, type ValuePath, valueAt } from './source-tree.ts';
import { checkTlsFiles, type TlsContents } from './tls-files.ts';

export interface Checked {
  readonly tree: SourceTree;
  readonly policies: PolicySchemas;
  /** What is left of the file when everything wrong is taken out; undefined when nothing is. */
  readonly sound: z.output<GatewaySchema> | undefined;
  /** The path in the file of a path in `sound`. */
  originOf(path: ValuePath): ValuePath;
  readonly findings: Findings;
  /** Where relative names of files begin. */
  readonly directory: string;
  /** What the files hold that the configuration names. */
  readonly contents: TlsContents;
  /** Milliseconds since the Unix epoch, by which certificates are judged. */
  readonly now: number;
  /** As in `CheckContext`. */
  isKnown(route: number): boolean;
}

/** Runs every check. What is wrong stands in `findings` then. */
export function* checkAll(checked: Checked): Steps<void> {
  const { tree, sound, policies, originOf, findings, directory, contents, now, isKnown } = checked;
  const { root } = tree;
  if (sound !== undefined) {
    yield* checkGateway(sound, policies, {
      raw: root,
      isKnown,
      written: (path) => valueAt(root, originOf(path)),
      nameOf: (path) => formatPath(originOf(path)),
      subject: (path) => findings.subject(originOf(path)),
      shown: (path) => findings.shown(originOf(path)),
      report: (report) => findings.addReport({ ...report, path: originOf(report.path) }),
      reportWritten: (report) => findings.addReport(report),
    });
  }
  yield;
  checkTlsFiles(root, directory, contents, findings);
  yield;
  checkPublicKeys(root, directory, contents, findings);
  yield;
  checkTls({ root, directory, contents, findings, now });
}
