/** Calls the greeter through the gateway: four calls on one connection, a stream, and a call that fails. */
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { greeter } from './greeter.js';

const address = process.argv[2] ?? '127.0.0.1:8080';
const Greeter = makeGenericClientConstructor(greeter, 'Greeter');
const client = new Greeter(address, credentials.createInsecure());

function greet(name) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 5000;
    client.Greet(name, { deadline }, (error, answer) => (error === null ? resolve(answer) : reject(error)));
  });
}

for (const name of ['Ada', 'Grace', 'Barbara', 'Frances']) console.log(await greet(name));
for await (const number of client.Count('3')) console.log(number);
await greet('nobody').catch((error) => console.log(`${error.code} ${error.details}`));
client.close();
