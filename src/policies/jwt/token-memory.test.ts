/** Verified tokens are remembered, in bounds, and forgotten with their keys. */
import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createIdentity } from '../../pipeline/identity.ts';
import { TokenMemory } from './token-memory.ts';
import type { VerificationKey } from './verification-key.ts';

const KEY = createSecretKey(Buffer.alloc(32));
const key = (): VerificationKey => ({ id: null, algorithms: new Set(), key: KEY, isLive: true });
const entry = (subject: string, until = 1000, by = key()) => ({
  identity: createIdentity({ kind: 'jwt', subject }),
  until,
  key: by,
});

describe('a token that was verified', () => {
  test('is known until it ends', () => {
    const memory = new TokenMemory();
    memory.keep('a', entry('ann'));
    expect(memory.find('a', 999)?.subject).toBe('ann');
    expect(memory.find('b', 999)).toBeNull();
    expect(memory.find('a', 1000)).toBeNull();
    expect(memory.size).toBe(0);
  });

  test('is forgotten with the key that verified it, and no other is', () => {
    const memory = new TokenMemory();
    const [one, two] = [key(), key()];
    memory.keep('a', entry('ann', 1000, one));
    memory.keep('b', entry('bob', 1000, two));
    one.isLive = false;
    expect([memory.find('a', 0), memory.find('b', 0)?.subject]).toEqual([null, 'bob']);
  });

  test('is forgotten by all once nobody uses the memory', () => {
    const memory = new TokenMemory();
    memory.keep('a', entry('ann'));
    memory.clear();
    expect(memory.find('a', 0)).toBeNull();
  });
});

describe('the memory', () => {
  test('holds some ten thousand, and those that are asked for outlive those that are not', () => {
    const memory = new TokenMemory();
    memory.keep('asked', entry('ann'));
    for (let i = 0; i < 50_000; i++) {
      memory.keep(`other-${i}`, entry('bob'));
      if (i % 1000 === 0) expect(memory.find('asked', 0)?.subject).toBe('ann');
      expect(memory.size).toBeLessThanOrEqual(10_000);
    }
    expect(memory.find('other-0', 0)).toBeNull();
    expect(memory.find('other-49999', 0)?.subject).toBe('bob');
    expect(memory.size).toBeGreaterThanOrEqual(5_000);
  });

  test('holds fewer of long ones', () => {
    const memory = new TokenMemory();
    for (let i = 0; i < 3000; i++) memory.keep(`${'x'.repeat(16_000)}${i}`, entry('bob'));
    expect(memory.size).toBeLessThan(600);
    expect(memory.find(`${'x'.repeat(16_000)}2999`, 0)?.subject).toBe('bob');
  });

  test('does not keep an old one that has ended when it is asked for', () => {
    const memory = new TokenMemory();
    memory.keep('old', entry('ann', 10));
    for (let i = 0; i < 5000; i++) memory.keep(`other-${i}`, entry('bob'));
    expect(memory.find('old', 10)).toBeNull();
    expect(memory.find('old', 0)).toBeNull();
  });
});
