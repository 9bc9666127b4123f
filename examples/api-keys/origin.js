/** An origin that answers with what it is told of its caller: node origin.js [PORT] */
import { createServer } from 'node:http';

const [port = '9073'] = process.argv.slice(2);

const server = createServer((request, response) => {
  const told = Object.entries(request.headers).filter(([name]) => /^x-(user|consumer|api)-/.test(name));
  response.end(`${JSON.stringify({ method: request.method, ...Object.fromEntries(told) })}\n`);
});
server.listen(Number(port), '127.0.0.1', () => console.log(`127.0.0.1:${server.address().port}`));
