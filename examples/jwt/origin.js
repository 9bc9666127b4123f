/** An origin that answers with what it is told of its caller, and an issuer that signs tokens and publishes its key: node origin.js [PORT PORT] */
import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';

const [origin = '9071', issuer = '9072'] = process.argv.slice(2);

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenOf(claims) {
  const input = `${base64url({ alg: 'ES256', kid: 'key-1' })}.${base64url(claims)}`;
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

function serve(port, handler) {
  const server = createServer(handler);
  server.listen(Number(port), '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
}

serve(origin, (request, response) => {
  const told = Object.entries(request.headers).filter(([name]) => /^x-(user|consumer)-/.test(name));
  response.end(`${JSON.stringify({ path: request.url, ...Object.fromEntries(told) })}\n`);
});

serve(issuer, (request, response) => {
  if (request.url === '/jwks.json') {
    const key = { ...publicKey.export({ format: 'jwk' }), kid: 'key-1', use: 'sig', alg: 'ES256' };
    response.end(JSON.stringify({ keys: [key] }));
  } else {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: 'partner',
      sub: 'bob',
      email: 'bob@partner.example',
      tenant: 'acme',
      iat: now,
      exp: now + 300,
    };
    response.end(tokenOf(claims));
  }
});
