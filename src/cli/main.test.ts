/** Command lines that are not understood, and how each command names what it speaks of. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../test/support/command.ts';

const directory = mkdtempSync(join(tmpdir(), 'portico-main-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs one command line in this process, by default in a place that does not exist. */
const run = (line: string, cwd?: string) => runCommand(line.split(' '), cwd === undefined ? {} : { cwd });

describe('a line that is not understood exits 2 and says what was meant', () => {
  test.each([
    ['strat', 'there is no command "strat"; did you mean "start"?'],
    ['start --wach', 'start has no option "--wach"; did you mean "--watch"?'],
    ['start -c a.yaml --wach', 'start has no option "--wach"; did you mean "--watch"?'],
    ['start --confg=a.yaml', 'start has no option "--confg"; did you mean "--config"?'],
    ['check -json a.yaml', 'check has no option "-json"; did you mean "--json"?'],
    ['check --jsn --quite', 'check has no option "--jsn"; did you mean "--json"?'],
    ['version --hlep', 'version has no option "--hlep"; did you mean "--help"?'],
    ['routes -x', 'routes has no option "-x"\n'],
    ['routes --zzzzzz', 'routes has no option "--zzzzzz"\n'],
    ['start --toString', 'start has no option "--toString"\n'],
    ['start -c', "'-c, --config <value>'"],
    ['start --watch=yes', '--watch'],
    ['start portico.yaml', 'start does not know what to do with "portico.yaml"'],
    ['init one two', 'init does not know what to do with "two"'],
    ['explain GET', 'usage: portico explain'],
    ['explain GET / more', 'explain does not know what to do with "more"'],
    ['explain GET example.com', '"example.com" is neither a URL nor a path'],
    ['explain GET / --client nobody', '--client "nobody" is no IP address'],
    ['explain GET / --sni a.example', '"GET" is of a request, and --sni of a connection'],
    ['explain --listener raw --sni a.example -H a:b', '"a:b" is of a request, and --listener of a connection'],
    ['explain --sni a\u00e9', '--sni "a\u00e9" is no server name'],
    ['explain --sni=', '--sni "" is no server name'],
    ['explain --lisener raw', 'explain has no option "--lisener"; did you mean "--listener"?'],
  ])('portico %s', async (line, said) => {
    const { status, out, error } = await run(line);
    expect(error).toContain(said);
    expect(out).toBe('');
    expect(status).toBe(2);
  });
});

test.each(['start', 'routes', 'check', 'explain GET /', 'explain --sni a'])(
  'portico %s without a file exits 1',
  async (line) => {
    const { status, error } = await run(line);
    expect(error).toContain('no configuration');
    expect(status).toBe(1);
  },
);

describe('every command names the file of a finding as it was given', () => {
  writeFileSync(join(directory, 'portico.yaml'), 'version: 1\nlistners: []\n');
  const absolute = join(directory, 'portico.yaml');
  test.each([
    ['start', 'portico.yaml'],
    ['start -c portico.yaml', 'portico.yaml'],
    ['start -c ./portico.yaml', './portico.yaml'],
    [`start -c ${absolute}`, absolute],
    ['check', 'portico.yaml'],
    ['check portico.yaml', 'portico.yaml'],
    ['check ./portico.yaml', './portico.yaml'],
    [`check ${absolute}`, absolute],
    ['routes -c ./portico.yaml', './portico.yaml'],
    ['explain GET / -c ./portico.yaml', './portico.yaml'],
  ])('portico %s', async (line, name) => {
    const { status, out, error } = await run(line, directory);
    const lines = `${out}${error}`.split('\n').filter((text) => text.includes(': error '));
    expect(lines.map((text) => text.slice(0, text.indexOf(': ')))).toContain(`${name}:2:1`);
    for (const text of lines) expect(text.startsWith(`${name}:`)).toBe(true);
    expect(status).toBe(1);
  });
});
