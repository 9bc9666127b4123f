/** Origins for the example, on the ports given or on both: they answer each message of a WebSocket, and plain requests too. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const ports = process.argv.slice(2).map(Number);

for (const port of ports.length > 0 ? ports : [9061, 9062]) {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(`${JSON.stringify({ url: request.url, upgrade: request.headers.upgrade ?? null })}\n`);
  });
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (text) => socket.send(`${server.address().port} heard: ${text}`));
  });
  server.listen(port, '127.0.0.1', () => console.log(`origin on http://127.0.0.1:${server.address().port}`));
}
