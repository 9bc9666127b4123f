/** The example of WebSockets, run as its page says. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Example, startExample } from '../support/example.ts';

let example: Example;

beforeAll(async () => {
  example = await startExample('websocket', ['9061', '9062']);
});
afterAll(() => example.close());

const commandWith = (part: string): string => example.commands.find((command) => command.includes(part)) ?? 'false';

test('a client is heard twice by one origin, and the next one by the other', async () => {
  const said = [await example.run(commandWith('client.js')), await example.run(commandWith('client.js'))];
  const expected = (port: string): string => `${port} heard: hello\n${port} heard: hello again\n`;
  expect(said.sort()).toEqual(example.origins.map(expected).sort());
});

test('a route without WebSockets is served plainly', async () => {
  expect(JSON.parse(await example.run(commandWith('/history')))).toEqual({ url: '/history', upgrade: null });
});

test('the metrics tell of them', async () => {
  expect(await example.run(commandWith('/metrics'))).toContain('route="chat"');
});
