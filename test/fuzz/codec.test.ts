/** Mutated messages through the codec and through the reference reading: both must find the same, however the bytes are cut. */
import { expect, test } from 'vitest';
import { bytesOf } from '../conformance/request-case.ts';
import { requestCases } from '../conformance/request-cases.ts';
import { responseCases } from '../conformance/response-cases.ts';
import type { Random } from '../support/seeded-random.ts';
import { atRandomCuts, byteByByte } from '../support/splits.ts';
import { codecRequests, codecResponses, type Reading } from './codec-reading.ts';
import { mutate } from './mutation.ts';
import { referenceRequests, referenceResponses } from './reference-reading.ts';
import { FUZZ_TIMEOUT, fuzz, quote } from './time-box.ts';

const HEAD_LIMIT = 4096;
/** No bound of the gateway's own: the reference has none for responses. */
const RESPONSE_LIMIT = 1 << 20;
/** Appended where the codec refuses and the reference still waits: nothing that may follow makes it right. */
const TAIL = Buffer.from('\r\n\r\n\r\n\r\n');

const small = (raw: string | Buffer): boolean => raw.length < 3000;
const requests = requestCases.filter(({ raw }) => small(raw)).map(({ raw }) => bytesOf(raw));
const responses = responseCases.filter(({ raw }) => small(raw) && raw.length > 0).map(({ raw }) => bytesOf(raw));

/** Says where the two readings differ; the codec may refuse sooner, before a line is complete. */
function difference(codec: Reading, reference: Reading, withTail: () => Reading): string | null {
  const count = reference.messages.length;
  for (let i = 0; i < Math.max(count, codec.messages.length); i++) {
    if (codec.messages[i] !== reference.messages[i]) {
      return `message ${i} is ${JSON.stringify(codec.messages[i])}, in the reference ${JSON.stringify(reference.messages[i])} (${codec.rest}, ${reference.rest})`;
    }
  }
  if (codec.rest === reference.rest) return null;
  if (codec.rest === 'refused' && reference.rest === 'incomplete' && withTail().rest === 'refused') return null;
  return `after ${count} messages the codec says ${codec.rest}, the reference ${reference.rest}`;
}

function cutsOf(bytes: Buffer, random: Random): Buffer[][] {
  return [[bytes], byteByByte(bytes), atRandomCuts(bytes, random)];
}

test(
  'requests: the codec agrees with the reference in every split',
  async () => {
    const { iterations } = await fuzz((random) => {
      const bytes = mutate(requests, random);
      const reference = referenceRequests(bytes, HEAD_LIMIT);
      for (const pieces of cutsOf(bytes, random)) {
        const withTail = (): Reading => referenceRequests(Buffer.concat([bytes, TAIL]), HEAD_LIMIT);
        const problem = difference(codecRequests(pieces, HEAD_LIMIT), reference, withTail);
        if (problem !== null) return `${problem}, in ${pieces.length} pieces: ${quote(bytes)}`;
      }
      return null;
    });
    expect(iterations).toBeGreaterThan(0);
  },
  FUZZ_TIMEOUT,
);

test(
  'responses: the codec agrees with the reference in every split',
  async () => {
    const { iterations } = await fuzz((random) => {
      const bytes = mutate(responses, random);
      const method = random.pick(['GET', 'HEAD', 'POST']);
      const reference = referenceResponses(bytes, method);
      for (const pieces of cutsOf(bytes, random)) {
        const withTail = (): Reading => referenceResponses(Buffer.concat([bytes, TAIL]), method);
        const problem = difference(codecResponses(pieces, method, RESPONSE_LIMIT), reference, withTail);
        if (problem !== null) return `${problem}, to ${method} in ${pieces.length} pieces: ${quote(bytes)}`;
      }
      return null;
    });
    expect(iterations).toBeGreaterThan(0);
  },
  FUZZ_TIMEOUT,
);
