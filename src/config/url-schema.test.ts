/** Addresses that the gateway calls, and what is shown of them. */
import { expect, test } from 'vitest';
import { callUrlSchema, shownUrl } from './url-schema.ts';

test.each<[string, string | null]>([
  ['http://127.0.0.1:8080/check?x=1', null],
  ['https://auth.example.com', null],
  ['auth.example.com/check', 'expected a URL such as https://auth.example.com/check'],
  ['ftp://auth.example.com', 'expected a URL such as https://auth.example.com/check'],
  ['javascript:alert(1)', 'expected a URL such as https://auth.example.com/check'],
  ['', 'expected a URL such as https://auth.example.com/check'],
  ['http://user:pass-word@a.example/', 'must not hold a user name or a password'],
  ['http://user@a.example/', 'must not hold a user name or a password'],
  ['http://a.example/#part', 'must not have a fragment: no server is sent it'],
])('%s: %s', (text, problem) => {
  const { error } = callUrlSchema.safeParse(text);
  expect(error?.issues[0].message ?? null).toBe(problem);
  expect(error?.message ?? '').not.toContain('pass-word');
});

test('a URL is shown without its query', () => {
  expect(shownUrl('https://a.example/check?key=secret')).toBe('https://a.example/check');
});
