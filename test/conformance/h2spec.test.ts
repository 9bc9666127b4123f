/** h2spec, when it is on the PATH, against a proxied route over TLS: passes but for the cases named here, each with its reason. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createAuthority } from '../support/certificates.ts';
import { configFor, startTestGateway } from '../support/gateway.ts';
import { type OriginScript, okAnswer, startOrigin } from '../support/raw-origin.ts';

interface Known {
  /** Section and title, as h2spec has them. */
  readonly name: string;
  /** The version of nghttp2 that began to fail; all do when not given. */
  readonly since?: string;
}

// docs/http2.md tells what happens in each, and why nothing above the library can change it.
const knownFailures: readonly Known[] = [
  { name: 'http2/5.1: closed: Sends a DATA frame after sending RST_STREAM frame' },
  { name: 'http2/5.1: closed: Sends a HEADERS frame after sending RST_STREAM frame' },
  { name: 'http2/5.1: closed: Sends a DATA frame' },
  { name: 'http2/5.1: closed: Sends a HEADERS frame' },
  { name: 'http2/5.1.1: Sends stream identifier that is numerically smaller than previous' },
  { name: 'http2/5.3.1: Sends PRIORITY frame that depend on itself', since: '1.65.0' },
  { name: 'http2/6.3: Sends a PRIORITY frame with 0x0 stream identifier', since: '1.65.0' },
  {
    name: 'http2/6.9.1: Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
    since: '1.67.0',
  },
];

/** Milliseconds: longer than h2spec takes from one frame to the next. */
const ANSWER_AFTER = 50;
/** Cases of the oldest version that Go's module proxy has; the newest has one more. */
const LEAST_CASES = 145;

function isAtLeast(version: string, wanted: string): boolean {
  return version.localeCompare(wanted, 'en', { numeric: true }) >= 0;
}

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

test.skipIf(!hasH2spec)('h2spec passes but for what is known', { timeout: 120_000 }, async () => {
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
    const known = knownFailures.filter(
      ({ since }) => since === undefined || isAtLeast(process.versions.nghttp2 ?? '', since),
    );
    expect(failed.sort()).toEqual(known.map(({ name }) => name).sort());
    expect(skipped).toEqual([]);
    expect(cases).toBeGreaterThanOrEqual(LEAST_CASES);
    expect(origin.faults).toEqual([]);
  } finally {
    await gateway.close();
    origin.close();
    rmSync(directory, { recursive: true });
  }
});
