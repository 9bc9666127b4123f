/** Hashes fit their passwords, and those that cannot be used are refused. */
import { scryptSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPasswordHash, isPasswordOf, PasswordHashError, parsePasswordHash } from './password-hash.ts';

const SALT = Buffer.from('0123456789abcdef');
const DIGEST = scryptSync('pässword', SALT, 32, { N: 1024, r: 8, p: 1 });

const isOf = (hash: string, password: string): boolean => isPasswordOf(parsePasswordHash(hash), password);

describe('a hash is that of its password, and of no other one', () => {
  test.each<[string, string, string]>([
    [
      'scrypt of RFC 7914 section 12',
      `scrypt$16384$8$1$${Buffer.from('SodiumChloride').toString('base64')}$7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887`,
      'pleaseletmein',
    ],
    [
      'scrypt of another implementation',
      '$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E',
      'password',
    ],
    ['bcrypt 2a', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'],
    ['bcrypt 2b', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'],
    ['bcrypt 2y', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'],
    ['in base64', `scrypt$1024$8$1$${SALT.toString('base64')}$${DIGEST.toString('base64')}`, 'pässword'],
    ['in base64url', `scrypt$1024$8$1$${SALT.toString('base64url')}$${DIGEST.toString('base64url')}`, 'pässword'],
    ['in hexadecimal', `scrypt$1024$8$1$${SALT.toString('hex')}$${DIGEST.toString('hex').toUpperCase()}`, 'pässword'],
    ['made here', createPasswordHash('a b:c '), 'a b:c '],
  ])('%s', (_, hash, password) => {
    expect(isOf(hash, password)).toBe(true);
    expect(isOf(hash, `${password}x`)).toBe(false);
  });

  test('and two of one password are not alike', () => {
    expect(createPasswordHash('same')).not.toBe(createPasswordHash('same'));
  });
});

const S = SALT.toString('base64');
const D = DIGEST.toString('base64');
const NONE = /must be a hash of scrypt/;
const N = /N that is a power of two/;
const COST = /at most 128 MiB/;

describe('a hash that cannot be used is refused', () => {
  test.each<[string, RegExp]>([
    ['', NONE],
    ['hunter2-plain', NONE],
    ['{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=', NONE],
    ['$apr1$salt$hash', NONE],
    ['$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA', NONE],
    [`scrypt$1024$8$${S}$${D}`, NONE],
    [`scrypt$1024$8$1$${S}$${D}$more`, NONE],
    [`scrypt$1024$8$1$$${D}`, NONE],
    [`scrypt$-1024$8$1$${S}$${D}`, NONE],
    [`scrypt$1e3$8$1$${S}$${D}`, NONE],
    [` scrypt$1024$8$1$${S}$${D}`, NONE],
    [`scrypt$1024$8$1$${S}$${D}\n`, /base64 or hexadecimal/],
    [`scrypt$1000$8$1$${S}$${D}`, N],
    [`scrypt$512$8$1$${S}$${D}`, N],
    [`scrypt$0$8$1$${S}$${D}`, N],
    [`$scrypt$ln=99,r=8,p=1$${S}$${D}`, COST],
    [`$scrypt$ln=18,r=8,p=1$${S}$${D}`, COST],
    [`scrypt$1024$99999$1$${S}$${D}`, COST],
    [`scrypt$1024$8$99999$${S}$${D}`, COST],
    [`scrypt$1024$0$1$${S}$${D}`, COST],
    [`scrypt$1024$8$0$${S}$${D}`, COST],
    [`scrypt$1024$8$1$c2FsdA$${D}`, /a salt of 8 to 64 bytes/],
    [`scrypt$1024$8$1$${'xxxx'.repeat(22)}$${D}`, /a salt of 8 to 64 bytes/],
    [`scrypt$1024$8$1$${S}$c2FsdA`, /a hash of 16 to 64 bytes/],
    [`scrypt$1024$8$1$${S}$${'xxxx'.repeat(22)}`, /a hash of 16 to 64 bytes/],
    [`scrypt$1024$8$1$${S}$${D.slice(0, 20)}!${D.slice(20)}`, /base64 or hexadecimal/],
    ['$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe', NONE],
    ['$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW', NONE],
    ['$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', NONE],
    ['$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', /a cost between 4 and 13/],
    ['$2b$14$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', /a cost between 4 and 13/],
    ['$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', /a cost between 4 and 13/],
  ])('%s', (text, message) => {
    expect(() => parsePasswordHash(text)).toThrow(message);
  });

  test('whatever it is, and is never quoted', () => {
    const part = fc.constantFrom('$', 'scrypt', 'ln=', '2b', 'r=8', ',', 'p=1', '1024', '8', '1', S, D, 'x');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 14 }), (parts) => {
        try {
          parsePasswordHash(parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(PasswordHashError);
          expect((error as Error).message).not.toContain(S);
        }
      }),
    );
  });
});
