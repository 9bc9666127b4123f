/** Keys of one secret are fixed, and have nothing to do with each other. */
import { expect, test } from 'vitest';
import { createStartSecret, deriveKey } from './start-secret.ts';

test('a key depends on the secret and the purpose, and on nothing else', () => {
  const [one, two] = [createStartSecret(), createStartSecret()];
  expect(one).toHaveLength(32);
  expect(deriveKey(one, 'a')).toEqual(deriveKey(Buffer.from(one), 'a'));
  const keys = [deriveKey(one, 'a'), deriveKey(one, 'b'), deriveKey(two, 'a'), one].map((key) => key.toString('hex'));
  expect(new Set(keys).size).toBe(4);
  expect(deriveKey(one, 'a', 48)).toHaveLength(48);
});
