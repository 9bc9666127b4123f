/** Which line of the input is the password, and which is none. */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { type CommandOutcome, runCommand } from '../../test/support/command.ts';
import { isPasswordOf, parsePasswordHash } from '../policies/basic-auth/password-hash.ts';

function run(chunks: readonly (string | Buffer)[]): Promise<CommandOutcome> {
  const input = new PassThrough();
  const outcome = runCommand(['hash-password'], { input });
  for (const chunk of chunks) input.write(chunk);
  input.end();
  return outcome;
}

test.each<[readonly (string | Buffer)[], string]>([
  [['open sesame'], 'open sesame'],
  [['open ', 'sesame\r\n', 'more\n'], 'open sesame'],
  [['p\u00e4ss:word \n'], 'p\u00e4ss:word '],
  [[Buffer.from([0xc3]), Buffer.from([0xa4])], '\u00e4'],
])('the first line of %j is the password', async (chunks, password) => {
  const { status, out, error } = await run(chunks);
  expect([status, error]).toEqual([0, '']);
  expect(out).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[^$\s]{22}\$[^$\s]{43}\n$/);
  expect(isPasswordOf(parsePasswordHash(out.trim()), password)).toBe(true);
});

test.each([[[]], [['\n']], [['a\tb\n']], [['a\u0000b']]])('%j is no password', async (chunks) => {
  const { status, out, error } = await run(chunks);
  expect([status, out]).toEqual([1, '']);
  expect(error).toBe('portico: the first line of the standard input must be a password without control characters\n');
});
