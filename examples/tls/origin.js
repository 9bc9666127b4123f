/** An origin that speaks only TLS, and only to the gateway: it answers every request with what it got. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const read = (name) => readFileSync(new URL(`certificates/${name}`, import.meta.url));

const options = {
  cert: read('origin.crt'),
  key: read('origin.key'),
  ca: read('ca.crt'),
  requestCert: true,
  rejectUnauthorized: true,
};

const server = createServer(options, (request, response) => {
  const caller = request.socket.getPeerX509Certificate().subject;
  response.setHeader('content-type', 'application/json');
  response.end(`${JSON.stringify({ caller, method: request.method, url: request.url, headers: request.headers })}\n`);
});

server.listen(Number(process.argv[2] ?? 9443), '127.0.0.1', () => {
  console.log(`origin on https://127.0.0.1:${server.address().port}`);
});
