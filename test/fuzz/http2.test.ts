/**
 * HTTP/2 clients of two sorts at once: some send frames as chance wants them, others ask for what they can check. Each whole
 * answer is that of its request, and after each burst nothing is left of either.
 */

import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLIENT_PREFACE, FRAME, SETTING } from '../../src/http/http2-frames.ts';
import { configFor, startTestGateway, type TestGateway } from '../support/gateway.ts';
import { answerOf } from '../support/http2-client.ts';
import {
  fieldBlock,
  frame,
  pingFrame,
  priorityFrame,
  requestFields,
  resetFrame,
  settingsFrame,
  windowFrame,
} from '../support/http2-frames.ts';
import { type Origin, okAnswer, startOrigin } from '../support/raw-origin.ts';
import type { Random } from '../support/seeded-random.ts';
import { atRandomCuts } from '../support/splits.ts';
import { FUZZ_TIMEOUT, fuzz, quote } from './time-box.ts';

const SIZES = [0, 1, 100, 5000, 16_384, 70_000, 300_000];

let origin: Origin;
let gateway: TestGateway;

beforeAll(async () => {
  origin = await startOrigin({
    onRequest: (request, connection) => {
      const text = request.body.toString('latin1');
      if (!request.target.startsWith('/chunked')) return connection.write(okAnswer(request, text));
      const half = Math.floor(text.length / 2);
      const chunks = [text.slice(0, half), text.slice(half)].filter((chunk) => chunk !== '');
      const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
      connection.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Request-Line: ${request.method} ${request.target}\r\n\r\n${body}0\r\nx-sum: ${text.length}\r\n\r\n`,
      );
    },
  });
  const service = { connections: { max: 8 } };
  gateway = await startTestGateway(configFor([origin.url], { service, listener: { protocols: ['h2'] } }));
});

afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

// Frames as chance wants them.

function anyFrame(random: Random): Buffer {
  const stream = random.below(8) === 0 ? random.below(2 ** 31) : random.below(12);
  const flags = random.pick([0, 1, 4, 5, 8, 0x20, 0x25, random.below(256)]);
  const fields = fieldBlock(requestFields(`/${stream}`, random.pick(['GET', 'POST'])), random.below(2) === 0);
  const noise = Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)));
  switch (random.below(12)) {
    case 0:
      return frame(FRAME.data, flags, stream, Buffer.alloc(random.pick([0, 1, 300, 16_384])));
    case 1:
    case 2:
    case 3:
      return frame(FRAME.headers, random.pick([5, 5, 4, 1, 0, flags]), stream | 1, fields);
    case 4:
      return frame(FRAME.continuation, flags, stream, random.pick([fields, noise]));
    case 5:
      return settingsFrame([
        [random.pick([1, 2, 3, SETTING.initialWindowSize, 5, 6, 8, 99]), random.pick([0, 1, 100, 2 ** 31])],
      ]);
    case 6:
      return windowFrame(random.pick([0, stream]), random.pick([0, 1, 1000, 2 ** 31 - 1]));
    case 7:
      return resetFrame(stream, random.below(14));
    case 8:
      return priorityFrame(stream, random.below(12), 1);
    case 9:
      return pingFrame(random.below(2) === 0);
    case 10:
      return frame(FRAME.headers, 5, stream | 1, Buffer.concat([fields, noise]));
    default:
      return frame(random.below(20), flags, stream, noise);
  }
}

/** Sends them in pieces, and leaves, in one way or another. */
function attack(random: Random): { readonly bytes: Buffer; readonly done: Promise<void> } {
  const frames = [CLIENT_PREFACE, settingsFrame([])];
  for (let left = 1 + random.below(20); left > 0; left--) frames.push(anyFrame(random));
  let bytes = Buffer.concat(frames);
  if (random.below(3) === 0) bytes[random.below(bytes.length)] ^= 1 << random.below(8);
  if (random.below(3) === 0) bytes = bytes.subarray(0, random.below(bytes.length) + 1);
  const pieces = atRandomCuts(bytes, random);
  const leave = random.below(3);
  const socket = connect({ host: '127.0.0.1', port: gateway.port, noDelay: true });
  const done = new Promise<void>((resolve) => {
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.on('end', () => socket.end());
    const next = (): void => {
      const piece = pieces.shift();
      if (socket.destroyed) return;
      if (piece !== undefined) socket.write(piece, () => setImmediate(next));
      else if (leave === 0) socket.destroy();
      else if (leave === 1) socket.end();
      else {
        socket.on('data', () => socket.destroy());
        socket.end();
      }
    };
    next();
    socket.resume();
  });
  return { bytes, done };
}

// What can be checked.

async function ask(session: ClientHttp2Session, random: Random): Promise<string | null> {
  const size = random.pick(SIZES);
  const path = `${random.pick(['/plain', '/chunked'])}/${random.below(1000)}`;
  const method = size === 0 && random.below(2) === 0 ? 'GET' : 'POST';
  const body = Buffer.alloc(size, `${path}.`);
  const stream = session.request(
    {
      ':method': method,
      ':path': path,
      ':authority': 'a',
      ...(random.below(2) === 0 ? { 'content-length': size } : {}),
    },
    { endStream: method === 'GET' },
  );
  const answer = answerOf(stream);
  const cancels = random.below(6) === 0;
  if (random.below(4) === 0) {
    stream.pause();
    setTimeout(() => stream.resume(), 5);
  }
  if (method === 'POST') {
    const middle = random.below(size + 1);
    if (middle > 0) stream.write(body.subarray(0, middle));
    setImmediate(() => {
      if (cancels) stream.close(8);
      else stream.end(body.subarray(middle));
    });
  } else if (cancels) setImmediate(() => stream.close(8));
  const { status, headers, body: received, reset, trailers } = await answer;
  if (cancels) return null;
  if (status !== 200 || reset !== 0) return `${method} ${path} of ${size}: status ${status}, reset ${reset}`;
  if (headers['x-request-line'] !== `${method} ${path}`) return `${path} was answered as ${headers['x-request-line']}`;
  if (!received.equals(body)) return `${path}: ${received.length} octets came back of ${size}, or others`;
  return path.startsWith('/chunked') && trailers['x-sum'] !== String(size) ? `${path}: no trailers` : null;
}

async function honest(random: Random): Promise<string | null> {
  const settings = {
    initialWindowSize: random.pick([1, 1000, 65_535, 1_000_000]),
    headerTableSize: random.pick([0, 100, 4096, 65_536]),
  };
  const session = connectHttp2(`http://127.0.0.1:${gateway.port}`, { settings });
  session.on('error', () => {});
  // A window of one octet takes its time.
  const count = settings.initialWindowSize === 1 ? 0 : 1 + random.below(12);
  const problems = await Promise.all(Array.from({ length: count }, () => ask(session, random)));
  session.destroy();
  return problems.find((problem) => problem !== null) ?? null;
}

test(
  'whatever frames come, others are served as if they did not',
  async () => {
    const { iterations } = await fuzz(async (random) => {
      const attacks = Array.from({ length: 4 }, () => attack(random));
      const problem = await honest(random);
      await Promise.all(attacks.map(({ done }) => done));
      const sent = (): string => attacks.map(({ bytes }) => quote(bytes)).join('\n');
      if (problem !== null) return `${problem}, beside ${sent()}`;
      for (let turns = 0; gateway.gateway.active > 0 || gateway.gateway.connections > 0; turns++) {
        if (turns === 1000) return `${gateway.gateway.active} requests are left after ${sent()}`;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return null;
    });
    expect(iterations).toBeGreaterThan(0);
    expect(origin.faults).toEqual([]);
  },
  FUZZ_TIMEOUT,
);
