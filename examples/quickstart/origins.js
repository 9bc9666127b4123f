/** Origins to stand behind the example, on the ports given or on all three: they answer every request with what they got. */
import { createServer } from 'node:http';

const ports = process.argv.slice(2).map(Number);

for (const port of ports.length > 0 ? ports : [9001, 9002, 9003]) {
  createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ port, method: request.method, url: request.url, headers: request.headers })}\n`);
  }).listen(port, '127.0.0.1', () => console.log(`origin on http://127.0.0.1:${port}`));
}
