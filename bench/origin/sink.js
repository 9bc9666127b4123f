/** The origin of the upload scenario: reads a request's body to its end, keeps nothing, then answers. */
import { createServer } from 'node:http';

const [port, answer] = process.argv.slice(2);
const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) };

const server = createServer((request, response) => {
  request.on('end', () => response.writeHead(200, headers).end(answer));
  request.on('error', () => response.destroy());
  request.resume();
});
server.requestTimeout = 0;
server.keepAliveTimeout = 600_000;
server.listen(Number(port), '127.0.0.1');
