/** Greeters for the example, on the ports given or on both; each says by `grpc.health.v1` that it is well. */
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { greeter, health } from './greeter.js';

const ports = process.argv.slice(2).map(Number);

for (const port of ports.length > 0 ? ports : [9050, 9051]) {
  const server = new Server();
  let own = port;
  server.addService(greeter, {
    Greet({ request }, answer) {
      if (request === 'nobody') answer({ code: status.INVALID_ARGUMENT, details: 'who is there?' });
      else answer(null, `${own}: hello, ${request}`);
    },
    Count(call) {
      for (let i = 1; i <= Number(call.request); i++) call.write(String(i));
      call.end();
    },
  });
  server.addService(health, { Check: (_call, answer) => answer(null, 'serving') });
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
    if (error !== null) throw error;
    own = bound;
    console.log(`greeter on http://127.0.0.1:${bound}`);
  });
}
