/** Servers to stand behind the example, on the ports given or on both: each greets, and says by grpc.health.v1 that it is well. */
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { Greeter } from './greeter.js';

const same = (bytes) => bytes;
const Health = {
  Check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
};
/** `status: SERVING`. */
const SERVING = Buffer.from([8, 1]);

const ports = process.argv.slice(2).map(Number);

for (const wanted of ports.length > 0 ? ports : [9051, 9052]) {
  const server = new Server();
  let name = '';
  server.addService(Greeter, {
    Greet: (call, answer) => answer(null, `hello ${call.request}, from ${name}`),
    GreetSlowly(call) {
      for (const word of ['hello', call.request, 'from', name]) call.write(word);
      call.end();
    },
  });
  server.addService(Health, { Check: (_call, answer) => answer(null, SERVING) });
  server.bindAsync(`127.0.0.1:${wanted}`, ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    name = `127.0.0.1:${port}`;
    console.log(`greeter on http://${name}`);
  });
}
