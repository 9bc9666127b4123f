/** Three origins to stand behind the example: they answer every request with what they got. */
import { createServer } from 'node:http';

for (const port of [9001, 9002, 9003]) {
  createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ port, method: request.method, url: request.url, headers: request.headers })}\n`);
  }).listen(port, '127.0.0.1', () => console.log(`origin on http://127.0.0.1:${port}`));
}
