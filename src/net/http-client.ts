/** Calls of the gateway itself to other services (keys, introspection, authorization): whole answers, bounded in size and time. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'HEAD';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** Milliseconds for all of it. */
  readonly timeout: number;
  /** Bytes of the answer's body beyond which the call fails; 1 MiB by default. */
  readonly maxBody?: number;
}

export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name; several lines joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface HttpClient {
  /** Rejects with the reason when there is no whole answer in time. Redirections are answers like others. */
  call(call: HttpCall): Promise<HttpAnswer>;
}

const MAX_BODY = 1024 * 1024;

/** Connections that rest are kept for so many milliseconds. */
const IDLE = 15_000;

/** A client with connections of its own, which keep no process alive. */
export class KeepAliveHttpClient implements HttpClient {
  private readonly plain = new HttpAgent({ keepAlive: true, maxSockets: 256, timeout: IDLE });
  private readonly secure = new HttpsAgent({ keepAlive: true, maxSockets: 256, timeout: IDLE });

  call(call: HttpCall): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const url = new URL(call.url);
      const isSecure = url.protocol === 'https:';
      if (!isSecure && url.protocol !== 'http:') throw new Error(`cannot call ${url.protocol} addresses`);
      const begin = isSecure ? httpsRequest : httpRequest;
      const request = begin(url, {
        method: call.method,
        agent: isSecure ? this.secure : this.plain,
        headers: {
          ...call.headers,
          ...(call.body === undefined ? {} : { 'content-length': Buffer.byteLength(call.body) }),
        },
      });
      const fail = (reason: string): void => {
        request.destroy(new Error(reason));
      };
      const timer = setTimeout(() => fail(`no answer within ${call.timeout} ms`), call.timeout);
      timer.unref();
      request.once('close', () => clearTimeout(timer));
      request.once('error', reject);
      request.once('response', (response) => {
        readBody(response, call.maxBody ?? MAX_BODY, fail).then(
          (body) => resolve({ status: response.statusCode ?? 0, headers: joined(response), body }),
          reject,
        );
      });
      request.end(call.body);
    });
  }

  close(): void {
    this.plain.destroy();
    this.secure.destroy();
  }
}

async function readBody(response: IncomingMessage, max: number, fail: (reason: string) => void): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > max) {
      fail('the answer is too large');
      throw new Error(`the answer is larger than ${max} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function joined({ headers }: IncomingMessage): Record<string, string> {
  const all: Record<string, string> = { __proto__: null as never };
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) all[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return all;
}
