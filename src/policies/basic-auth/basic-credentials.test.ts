/** What credentials say, and which are malformed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseBasicCredentials } from './basic-credentials.ts';

const base64 = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding).toString('base64');

test.each<[string, string, string]>([
  // Of RFC 7617 section 2 and 2.1.
  ['QWxhZGRpbjpvcGVuIHNlc2FtZQ==', 'Aladdin', 'open sesame'],
  ['dGVzdDoxMjPCow==', 'test', '123£'],
  ['QWxhZGRpbjpvcGVuIHNlc2FtZQ', 'Aladdin', 'open sesame'],
  [base64('a:b:c'), 'a', 'b:c'],
  [base64(':b'), '', 'b'],
  [base64('a:'), 'a', ''],
  [base64(':'), '', ''],
  [base64('\ufeffa:b'), '\ufeffa', 'b'],
  [base64('a: b '), 'a', ' b '],
])('%s', (text, name, password) => {
  expect(parseBasicCredentials(text)).toEqual({ name, password });
});

test.each<[string, string]>([
  ['nothing', ''],
  ['no colon', base64('ab')],
  ['no base64', 'a:b'],
  ['base64 and more', `${base64('a:b')} `],
  ['base64 in parts', `${base64('aa:')} ${base64('bbb')}`],
  ['base64 with a parameter', `${base64('a:b')}, realm="x"`],
  ['two of them', `${base64('a:b')}, Basic ${base64('c:d')}`],
  ['padding in between', `${base64('a:bc')}${base64('d')}`.replace('=', '==')],
  ['too much padding', `${base64('a:bc')}===`],
  ['the other alphabet', base64('a:\u00ff\u00ff\u00fe').replaceAll('+', '-').replaceAll('/', '_').concat('_')],
  ['padding of nothing', 'YTpi=='],
  ['bits left over', 'YTpiYn=='],
  ['Latin-1', base64('a:£', 'latin1')],
  ['half a character', base64('a:\u20ac').slice(0, 5)],
  ['a line break', base64('a:b\r\nX: y')],
  ['a NUL', base64('a:b\u0000c')],
  ['a delete', base64('a\u007f:b')],
  ['letters beyond', '\u0151\u0151\u0151\u0151'],
  ['far too much', base64(`a:${'x'.repeat(4096)}`)],
])('%s is malformed', (_, text) => {
  expect(parseBasicCredentials(text)).toBeNull();
});

test('what is sent is what is read', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !/[\u0000-\u001f\u007f]/.test(text));
  const name = word.filter((text) => !text.includes(':'));
  fc.assert(
    fc.property(name, word, (user, password) => {
      expect(parseBasicCredentials(base64(`${user}:${password}`))).toEqual({ name: user, password });
    }),
  );
});

test('nothing that is sent throws', () => {
  const sent = fc.oneof(fc.string({ maxLength: 40 }), fc.base64String({ maxLength: 40 }));
  fc.assert(fc.property(sent, (text) => void parseBasicCredentials(text)));
});
