/** The service of the example, as generated code would have it: `message Text { string text = 1; }` there and back. */

const FIELD_1_STRING = 10;

/** For texts below 128 bytes, whose length is one byte. */
function serialize(text) {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([FIELD_1_STRING, bytes.length]), bytes]);
}

function deserialize(bytes) {
  return bytes.subarray(2).toString();
}

function method(name, responseStream) {
  return {
    path: `/example.Greeter/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: serialize,
    requestDeserialize: deserialize,
    responseSerialize: serialize,
    responseDeserialize: deserialize,
  };
}

/** `grpc.health.v1.Health`, as far as the gateway asks: an origin that answers at all is well, `status: SERVING`. */
export const health = {
  Check: {
    ...method('Check', false),
    path: '/grpc.health.v1.Health/Check',
    responseSerialize: () => Buffer.from([8, 1]),
  },
};

/** `rpc Greet (Text) returns (Text); rpc Count (Text) returns (stream Text);` */
export const greeter = { Greet: method('Greet', false), Count: method('Count', true) };
