/** Certificates made for tests are what real ones would be. */
import { X509Certificate } from 'node:crypto';
import { connect, createServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { createAuthority, type IssuedCertificate } from './certificates.ts';

const authority = createAuthority();

/** What a strict client says of the server's certificate. */
async function verdict(issued: IssuedCertificate, ca: string, servername: string): Promise<string> {
  const server = createServer({ cert: issued.cert, key: issued.key });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  server.on('tlsClientError', () => {});
  const said = await new Promise<string>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, ca, servername }, () => {
      resolve('ok');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  await new Promise((resolve) => server.close(resolve));
  return said;
}

describe('certificates made for tests', () => {
  const day = 24 * 60 * 60 * 1000;
  const below = authority.intermediate('Below');
  const chained = below.issue({ names: ['a.test'] });
  it.each([
    ['sound', authority.issue({ names: ['a.test'] }), 'a.test', 'ok'],
    ['sound for a wildcard', authority.issue({ names: ['*.a.test'] }), 'b.a.test', 'ok'],
    ['of another name', authority.issue({ names: ['a.test'] }), 'b.test', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['at its end', authority.issue({ names: ['a.test'], days: -1 }), 'a.test', 'CERT_HAS_EXPIRED'],
    [
      'not yet begun',
      authority.issue({ names: ['a.test'], notBefore: new Date(Date.now() + 2 * day) }),
      'a.test',
      'CERT_NOT_YET_VALID',
    ],
    ['of a client', authority.issue({ names: ['a.test'], client: true }), 'a.test', 'INVALID_PURPOSE'],
    ['with its chain', { cert: chained.cert + below.ca, key: chained.key }, 'a.test', 'ok'],
    ['without its chain', chained, 'a.test', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ] as const)('%s', async (_, issued, name, expected) => {
    expect(await verdict(issued, authority.ca, name)).toBe(expected);
  });

  it('are signed by the authority that is named', async () => {
    const issued = authority.issue({ names: ['a.test'] });
    expect(await verdict(issued, createAuthority().ca, 'a.test')).not.toBe('ok');
  });

  it('hold addresses and URIs as such', () => {
    const { cert } = authority.issue({ names: ['client', '127.0.0.1', '::1', 'spiffe://test/a'], client: true });
    const { subject, subjectAltName } = new X509Certificate(cert);
    expect(subject).toBe('CN=client');
    expect(subjectAltName).toBe('DNS:client, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:spiffe://test/a');
  });
});
