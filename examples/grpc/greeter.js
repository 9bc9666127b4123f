/** What greeter.proto says, written by hand so that the example needs no compiler: both messages are one string. */

/** Field 1, with a length before it. */
const TAG = 0x0a;

export function encodeText(text) {
  const bytes = Buffer.from(text);
  if (bytes.length > 127) throw new RangeError('a longer text would need a longer length');
  return bytes.length === 0 ? bytes : Buffer.concat([Buffer.from([TAG, bytes.length]), bytes]);
}

export function decodeText(message) {
  return message.length === 0 ? '' : message.toString('utf8', 2, 2 + message[1]);
}

function method(path, responseStream) {
  return {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: encodeText,
    requestDeserialize: decodeText,
    responseSerialize: encodeText,
    responseDeserialize: decodeText,
  };
}

export const Greeter = {
  Greet: method('/example.Greeter/Greet', false),
  GreetSlowly: method('/example.Greeter/GreetSlowly', true),
};
