/** Calls of the gateway itself to other services (keys, introspection, authorization): whole answers, bounded in size and time. */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
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
  /** The lines of `Set-Cookie`, which cannot be joined (RFC 9110 section 5.3); absent where there is none. */
  readonly cookies?: readonly string[];
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
      let request = this.begin(call, true);
      const fail = (reason: string): void => {
        request.destroy(new Error(reason));
      };
      const timer = setTimeout(() => fail(`no answer within ${call.timeout} ms`), call.timeout);
      timer.unref();
      const settled = (): void => clearTimeout(timer);
      const watch = (mayRepeat: boolean): void => {
        request.on('error', (error: NodeJS.ErrnoException) => {
          // The server closed a connection that rested just when it was taken (RFC 9112 section 9.3.1): these calls only ask.
          if (mayRepeat && request.reusedSocket && error.code === 'ECONNRESET') {
            request = this.begin(call, false);
            return watch(false);
          }
          settled();
          reject(error);
        });
        request.once('response', (response) => {
          mayRepeat = false;
          readBody(response, call.maxBody ?? MAX_BODY)
            .then((body) => resolve(answerOf(response, body)), reject)
            .finally(settled);
        });
        request.end(call.body);
      };
      watch(true);
    });
  }

  /** A request that is not sent yet; `mayReuse` a connection that rests. */
  private begin({ url, method, headers, body }: HttpCall, mayReuse: boolean): ClientRequest {
    const target = new URL(url);
    const isSecure = target.protocol === 'https:';
    if (!isSecure && target.protocol !== 'http:') throw new Error(`cannot call ${target.protocol} addresses`);
    const agent = isSecure ? this.secure : this.plain;
    const begin = isSecure ? httpsRequest : httpRequest;
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    return begin(target, { method, agent: mayReuse ? agent : false, headers: { ...headers, ...length } });
  }

  close(): void {
    this.plain.destroy();
    this.secure.destroy();
  }
}

function readBody(response: IncomingMessage, max: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on('data', (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > max) response.destroy(new Error(`the answer is larger than ${max} bytes`));
    });
    response.once('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    response.on('error', reject);
    response.once('close', () => reject(new Error('the answer was cut')));
  });
}

function answerOf(response: IncomingMessage, body: string): HttpAnswer {
  const cookies = response.headers['set-cookie'];
  const answer = { status: response.statusCode ?? 0, headers: joined(response), body };
  return cookies === undefined ? answer : { ...answer, cookies };
}

function joined({ headers }: IncomingMessage): Record<string, string> {
  const all: Record<string, string> = { __proto__: null as never };
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) all[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return all;
}
