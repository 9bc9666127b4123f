/** A small origin for the example: it answers every request with its name and what it got. */
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const port = Number(process.env.PORT ?? 9000);

const server = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(
    `${JSON.stringify({ origin: hostname(), method: request.method, url: request.url, headers: request.headers })}\n`,
  );
});

server.listen(port, () => console.log(`origin on port ${server.address().port}`));
