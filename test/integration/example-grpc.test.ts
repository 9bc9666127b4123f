/** The example of gRPC, run as its page says. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Example, startExample } from '../support/example.ts';

let example: Example;

beforeAll(async () => {
  example = await startExample('grpc', ['9050', '9051']);
});
afterAll(() => example.close());

const commandWith = (part: string): string => example.commands.find((command) => command.includes(part)) ?? 'false';

test('calls go to both origins, a stream arrives, and a status is passed on', async () => {
  const lines = (await example.run(commandWith('client.js'))).trim().split('\n');
  const greetings = lines.slice(0, 4).map((line) => line.split(': hello, '));
  expect(greetings.map(([, name]) => name)).toEqual(['Ada', 'Grace', 'Barbara', 'Frances']);
  expect(new Set(greetings.map(([port]) => port))).toEqual(new Set(example.origins));
  expect(lines.slice(4)).toEqual(['1', '2', '3', '3 who is there?']);
});

test('a browser may call, too', async () => {
  const answer = await example.run(commandWith('grpc-web-text'));
  expect(answer).toMatch(/hello, Ada.*grpc-status: 0/s);
});

test('the metrics tell of the statuses', async () => {
  expect(await example.run(commandWith('/metrics'))).toMatch(/grpc_status="3"/);
});
