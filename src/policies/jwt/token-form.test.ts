/** What a token says of itself, before anybody believes it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseToken } from './token-form.ts';
import { ambiguityOf } from './unique-members.ts';

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

describe('parseToken', () => {
  test('reads what any sound token says of itself', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9_~+/=:@-]{1,256}$/);
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.option(id),
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })),
        fc.uint8Array({ minLength: 1 }),
        (alg, kid, claims, signature) => {
          const header = JSON.stringify(kid === null ? { alg } : { kid, alg });
          const token = `${base64url(header)}.${base64url(JSON.stringify(claims))}.${Buffer.from(signature).toString('base64url')}`;
          expect(parseToken(token)).toEqual({ algorithm: alg, keyId: kid });
        },
      ),
    );
  });

  test('never throws, and never quotes what it was given', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json().map(base64url),
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64url')),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const outcome = parseToken(parts.join('.'));
        if ('problem' in outcome)
          for (const text of parts) if (text.length > 12) expect(outcome.problem).not.toContain(text);
      }),
    );
  });

  test('takes one spelling of a token only', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const head = `${base64url('{"alg":"HS256"}')}.${base64url('{}')}.`;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat(63), (signature, last) => {
        const sound = Buffer.from(signature).toString('base64url');
        const other = sound.slice(0, -1) + letters[last];
        const isSame = Buffer.from(other, 'base64url').equals(Buffer.from(signature)) && other !== sound;
        expect(parseToken(head + sound)).toHaveProperty('algorithm');
        if (isSame) expect(parseToken(head + other)).toHaveProperty('problem');
      }),
    );
  });

  test.each([
    ['"crit":["exp"],"exp":1', 'the header asks for an extension'],
    ['"crit":null', 'the header asks for an extension'],
    ['"b64":true', 'the header asks for an unencoded payload'],
    ['"typ":1', 'the type in the header is no string'],
  ])('needs no key to refuse a header with %s', (members, problem) => {
    const token = `${base64url(`{"alg":"HS256",${members}}`)}.${base64url('{}')}.AAAA`;
    expect(parseToken(token)).toEqual({ problem });
  });

  test('looks at no more than 16 KiB', () => {
    const token = (length: number): string => {
      const head = `${base64url('{"alg":"HS256"}')}.${base64url('{}')}.`;
      return head + 'A'.repeat(length - head.length);
    };
    expect(parseToken(token(16_384))).toHaveProperty('algorithm');
    expect(parseToken(token(16_388))).toEqual({ problem: 'the token is too long' });
  });
});

describe('ambiguityOf', () => {
  test('finds nothing in what was written from values', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        expect(ambiguityOf(JSON.stringify(value, null, space))).toBeNull();
      }),
    );
  });

  test('finds a name that stands twice in one map, wherever that is and however it is spelt', () => {
    const spell = (name: string): string =>
      `"${[...name].map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
    fc.assert(
      fc.property(
        fc.stringMatching(/^[\x20-\x7e]{0,9}$/),
        fc.jsonValue({ maxDepth: 2 }),
        fc.boolean(),
        fc.nat(5),
        (name, value, spelt, depth) => {
          const text = JSON.stringify(value);
          const members = [
            `${JSON.stringify(name)}:${text}`,
            `${JSON.stringify(`other ${name}`)} : [${text}]`,
            `${spelt ? spell(name) : JSON.stringify(name)} :1`,
          ];
          const map = `{${members.join(' , ')}}`;
          const within = '[{"a":'.repeat(depth) + map + '}]'.repeat(depth);
          expect(JSON.parse(within)).toBeDefined();
          expect(ambiguityOf(within)).toBe('has a member twice');
        },
      ),
    );
  });

  test.each([
    ['{"a":{"b":1},"c":{"b":1}}', null],
    ['[{"a":1},{"a":1}]', null],
    ['{"a":"a","b":"a:","c":"\\"a\\":"}', null],
    ['["a","a"]', null],
    ['{"a":["a"],"a\\\\":1,"a\\"":2}', null],
    ['{"__proto__":1,"__proto__":2}', 'has a member twice'],
    ['{"":1,"":2}', 'has a member twice'],
    ['['.repeat(32) + ']'.repeat(32), null],
    ['['.repeat(33) + ']'.repeat(33), 'is nested too deeply'],
    [`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, 'is nested too deeply'],
  ])('%s', (text, expected) => {
    expect(ambiguityOf(text)).toBe(expected);
  });
});
