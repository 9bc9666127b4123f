/** `bodyLimit`: how long the body of a request may be. */
import { z } from 'zod';
import { formatSize } from '../../base/size.ts';
import { size } from '../../config/scalar-schema.ts';
import { definePolicy, type Reply } from '../../pipeline/policy.ts';

/** As many bytes as a listener may be told to take. */
const MOST = 1024 ** 4;

const schema = z
  .strictObject({ max: size(0, MOST).describe('Most bytes of a body; 0 lets none through') })
  .describe('Refuses longer bodies with 413, before they are read where their length is declared.');

export const bodyLimit = definePolicy({
  name: 'bodyLimit',
  phase: 'meter',
  schema,
  create({ max }) {
    const tooLarge: Reply = {
      status: 0,
      headers: {},
      body: '',
      code: 'payload_too_large',
      detail: 'the body is larger than the route lets pass',
    };
    return {
      effect: `refuses bodies of more than ${formatSize(max)}`,
      onRequest(exchange) {
        if (exchange.bodyLength > max) return tooLarge;
        // Without a declared length only its end tells (RFC 9112 section 7.1).
        if (exchange.bodyLength < 0) exchange.limitBody(max);
        return undefined;
      },
    };
  },
});
