/** Calls through the gateway at the address given, or at that of the example: as gRPC, and as a browser would make them. */
import { credentials, makeClientConstructor } from '@grpc/grpc-js';
import { decodeText, encodeText, Greeter } from './greeter.js';

const gateway = process.argv[2] ?? '127.0.0.1:8080';

const client = new (makeClientConstructor(Greeter, 'Greeter'))(gateway, credentials.createInsecure());
const greet = (name) =>
  new Promise((resolve, reject) => {
    const deadline = Date.now() + 5000;
    client.Greet(name, { deadline }, (error, text) => (error === null ? resolve(text) : reject(error)));
  });

console.log('unary:    ', await greet('Ada'));
console.log('unary:    ', await greet('Ada'));
const words = [];
for await (const word of client.GreetSlowly('Ada')) words.push(word);
console.log('stream:   ', words.join(' '));
client.close();

/** The frames of an answer of gRPC-Web: messages, and trailers in the last one. */
function* framesOf(body) {
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1);
    yield { isTrailers: body[at] === 0x80, content: body.subarray(at + 5, at + 5 + length) };
    at += 5 + length;
  }
}

const message = encodeText('Grace');
const head = Buffer.alloc(5);
head.writeUInt32BE(message.length, 1);
const answer = await fetch(`http://${gateway}/example.Greeter/Greet`, {
  method: 'POST',
  headers: { 'content-type': 'application/grpc-web+proto' },
  body: Buffer.concat([head, message]),
});
for (const { isTrailers, content } of framesOf(Buffer.from(await answer.arrayBuffer()))) {
  console.log(isTrailers ? 'trailers: ' : 'gRPC-Web: ', isTrailers ? content.toString().split('\r\n')[0] : decodeText(content));
}
