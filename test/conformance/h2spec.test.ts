/** h2spec, when it is on the PATH, against a proxied route over TLS: every case passes. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { configFor, startTestGateway } from '../support/gateway.ts';
import { type OriginScript, okAnswer, startOrigin } from '../support/raw-origin.ts';

/** Milliseconds: longer than h2spec takes from one frame to the next. */
const ANSWER_AFTER = 50;
/** Cases of the oldest version that Go's module proxy has; the newest has one more. */
const LEAST_CASES = 145;

interface Verdict {
  readonly cases: number;
  readonly failed: string[];
  readonly skipped: string[];
}

/** Reads the report that h2spec writes for JUnit. */
function verdictOf(report: string): Verdict {
  const verdict: Verdict = { cases: 0, failed: [], skipped: [] };
  let cases = 0;
  for (const [, section, title, inside] of report.matchAll(
    /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs,
  )) {
    cases++;
    if (/<(error|failure)>/.test(inside)) verdict.failed.push(`${section}: ${title}`);
    if (inside.includes('<skipped>')) verdict.skipped.push(`${section}: ${title}`);
  }
  return { ...verdict, cases };
}

/** Runs h2spec to its end; how it ends says no more than its report. */
async function runH2spec(port: number, directory: string): Promise<Verdict> {
  const report = join(directory, 'report.xml');
  await new Promise<void>((resolve) => {
    const args = ['-h', '127.0.0.1', '-p', String(port), '-t', '-k', '-o', '2', '-j', report];
    execFile('h2spec', args, { maxBuffer: 2 ** 24 }, () => resolve());
  });
  return verdictOf(readFileSync(report, 'utf8'));
}

const hasH2spec = spawnSync('h2spec', ['--version']).error === undefined;

test.skipIf(!hasH2spec)('h2spec passes', { timeout: 120_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'portico-h2spec-'));
  const { cert, key } = createAuthority().issue({ names: ['localhost', '127.0.0.1'] });
  // Cases about windows want an answer of some length, and those about half-closed streams send two frames one after the
  // other: an answer between them would close the stream, and the case would be another one.
  const onRequest: OriginScript['onRequest'] = (request, connection) =>
    void setTimeout(() => connection.write(okAnswer(request, 'x'.repeat(1000))), ANSWER_AFTER);
  const origin = await startOrigin({ onRequest });
  const listener = { protocols: ['h2', 'http/1.1'], tls: { certificates: [{ certFile: 'a.crt', keyFile: 'a.key' }] } };
  const gateway = await startTestGateway(configFor([origin.url], { listener }), [], undefined, {
    'a.crt': cert,
    'a.key': key,
  });
  try {
    const { cases, failed, skipped } = await runH2spec(gateway.port, directory);
    expect(failed).toEqual([]);
    expect(skipped).toEqual([]);
    expect(cases).toBeGreaterThanOrEqual(LEAST_CASES);
    expect(origin.faults).toEqual([]);
  } finally {
    await gateway.close();
    origin.close();
    rmSync(directory, { recursive: true });
  }
});
