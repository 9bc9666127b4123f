/** The example of API keys, run as its page says. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Example, startExample } from '../support/example.ts';

let example: Example;

beforeAll(async () => {
  example = await startExample('api-keys', ['9073']);
});
afterAll(() => example.close());

/** One after another: each needs what the ones before it did. */
test('does what its lines are about, and has no others', async () => {
  const outcomes: RegExp[] = [
    /^HTTP\/1\.1 401 Unauthorized\r\n[\s\S]*\r\nWWW-Authenticate: ApiKey realm="portico", header="x-api-key"\r\n/,
    /^\{"method":"GET","x-consumer-name":"acme","x-consumer-tier":"pro"\}\n$/,
    /^$/,
    /^$/,
    /^\{"method":"GET","x-consumer-name":"shop","x-consumer-tier":"free"\}\n$/,
    /^HTTP\/1\.1 403 Forbidden\r\n/,
    /^id +consumer .*\nacme01 +acme +- +active, declared .*\n\S{16} +shop +- +active +- +orders:read +\d{4}-.*\n$/,
    /^\S{16} is revoked\n$/,
    /^HTTP\/1\.1 401 Unauthorized\r\n/,
    /^$/,
  ];
  const lines = example.commands.filter((line) => line !== '').slice(2);
  expect(lines).toHaveLength(outcomes.length);
  for (const [index, line] of lines.entries()) expect(await example.run(line), line).toMatch(outcomes[index]);
  // Some lines start a program, or two.
}, 30_000);
