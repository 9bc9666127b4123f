/** Whatever a certificate holds, its lines break no head. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClientCertificate } from '../net/client-certificate.ts';
import { certificateLines } from './certificate-lines.ts';

const FINGERPRINT = 'ab'.repeat(32);

function linesOf(certificate: Partial<ClientCertificate>): Record<string, string> {
  const whole = { subject: '', issuer: '', names: [], fingerprint: FINGERPRINT, serialNumber: '1', validTo: 0 };
  const text = certificateLines({ ...whole, ...certificate });
  expect(text.endsWith('\r\n')).toBe(true);
  return Object.fromEntries(
    text
      .slice(0, -2)
      .split('\r\n')
      .map((line) => {
        const [, name, value] = /^X-Client-Cert-(\w+): ([!-~]|[!-~][ -~]*[!-~])$/.exec(line) as RegExpExecArray;
        return [name, value];
      }),
  );
}

describe('lines about a certificate', () => {
  test.each<[Partial<ClientCertificate>, Record<string, string>]>([
    [
      { subject: 'CN=anna,O=Example', names: ['DNS:a.example', 'URI:spiffe://x/y'] },
      { Subject: 'CN=anna,O=Example', SAN: 'DNS:a.example, URI:spiffe://x/y' },
    ],
    [{ subject: 'CN=Müller\\, 100%' }, { Subject: 'CN=M%C3%BCller\\, 100%25' }],
    [{ subject: 'CN=a\r\nX-Admin: yes' }, { Subject: 'CN=a%0D%0AX-Admin: yes' }],
    [{ names: ['DNS:a, DNS:b', 'email:c'] }, { SAN: 'DNS:a%2C DNS:b, email:c' }],
    [{ subject: ' a ' }, { Subject: '%20a%20' }],
    // Never cut: a part of a name is another name.
    [{ subject: `CN=${'a'.repeat(5000)}`, names: ['DNS:a'] }, { SAN: 'DNS:a' }],
    [{ subject: 'CN=a', names: Array.from({ length: 500 }, (_, i) => `DNS:a${i}.example`) }, { Subject: 'CN=a' }],
  ])('%j', (certificate, expected) => {
    expect(linesOf(certificate)).toEqual({ ...expected, Fingerprint: FINGERPRINT });
  });

  test('break no head whatever they hold, and can be read back', () => {
    const text = fc.string({
      unit: fc.oneof(
        fc.constantFrom('\r', '\n', '\0', ',', ' ', '%', '"'),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
      ),
      maxLength: 30,
    });
    const name = text.map((value) => `URI:${value}`);
    fc.assert(
      fc.property(text, fc.array(name, { maxLength: 4 }), (subject, names) => {
        const lines = linesOf({ subject, names });
        expect(decodeURIComponent(lines.Subject ?? '')).toBe(subject);
        const read = lines.SAN === undefined ? [] : lines.SAN.split(', ').map(decodeURIComponent);
        expect(read).toEqual(names);
      }),
    );
  });
});
