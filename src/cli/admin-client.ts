/** What every command that speaks to a running gateway needs: where its admin listener is, the token, and errors that help. */
import { type IncomingHttpHeaders, request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { type Address, formatAddress } from '../base/address.ts';
import { DurationError, formatDuration, parseDuration } from '../base/duration.ts';
import { OperatorError } from '../base/errors.ts';
import { findConfigFile } from '../config/find-file.ts';
import { textOfFindings } from '../config/finding.ts';
import { type Command, type CommandIo, type CommandOption, type ParsedArgs, UsageError } from './command.ts';
import { CONFIG_OPTION, configFile, readConfig } from './config-file.ts';

/** Where a gateway's admin listener is when neither the line nor a file says otherwise. */
const DEFAULT_BASE = 'http://127.0.0.1:9901';

const DEFAULT_TIMEOUT = '2s';

/** The variable that holds the token: a secret on a command line would show in the list of processes. */
export const TOKEN_VARIABLE = 'PORTICO_ADMIN_TOKEN';

/** The options that every such command has. */
export const ADMIN_OPTIONS: readonly CommandOption[] = [
  {
    name: 'admin',
    value: 'URL',
    help: `the admin listener; default: the one of the configuration, else ${DEFAULT_BASE}; its token: ${TOKEN_VARIABLE}`,
  },
  CONFIG_OPTION,
  {
    name: 'timeout',
    value: 'DURATION',
    help: `longest wait for an answer; default ${DEFAULT_TIMEOUT}, and longer for what takes longer`,
  },
];

export interface AdminRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sends no token, since the route asks for none. */
  readonly open?: boolean;
}

export interface AdminAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Whether the request carried a token. */
  readonly withToken: boolean;
}

export interface AdminClient {
  /** Without a slash at its end. */
  readonly base: string;
  /** Any answer at all, whatever its status; rejects with `UnreachableError` when none came in time. */
  ask(method: string, path: string, request?: AdminRequest): Promise<AdminAnswer>;
}

/** No answer came: the gateway does not run, runs elsewhere, or hangs. */
export class UnreachableError extends OperatorError {}

/**
 * The client that a command line asks for; `usualTimeout` is for a line that names none. Throws `UsageError` for an option that makes no sense, and `OperatorError` when
 * the configuration does not say where to ask.
 */
export async function adminClient(
  command: Command,
  args: ParsedArgs,
  io: CommandIo,
  usualTimeout = DEFAULT_TIMEOUT,
): Promise<AdminClient> {
  const timeout = timeoutOf(command, args, usualTimeout);
  const named = args.text('admin');
  const base = named === undefined ? await configuredBase(args, io) : givenBase(named, command);
  const token = tokenOf(io);
  return {
    base,
    ask: (method, path, request = {}) =>
      send(method, `${base}${path}`, request, request.open === true ? undefined : token, timeout),
  };
}

/** One line for an answer that is no success: what the gateway says of it, and for a token what to do about it. */
export function refusalOf({ status, headers, body, withToken }: AdminAnswer): string {
  if (status === 401) {
    return withToken ? `the token in ${TOKEN_VARIABLE} is wrong` : `a token is needed: put it into ${TOKEN_VARIABLE}`;
  }
  if (headers['content-type'] === 'application/problem+json') {
    const { code, detail } = JSON.parse(body) as { code: string; detail: string };
    return `answered ${status} ${code}: ${detail}`;
  }
  return `answered ${status}`;
}

function timeoutOf(command: Command, args: ParsedArgs, usual: string): number {
  try {
    const timeout = parseDuration(args.text('timeout') ?? usual);
    if (timeout > 0) return timeout;
  } catch (error) {
    if (!(error instanceof DurationError)) throw error;
    throw new UsageError(`--timeout ${error.message}`, command);
  }
  throw new UsageError('--timeout must be longer than nothing', command);
}

/** The value is never shown: it may hold a password. */
function givenBase(given: string, command: Command): string {
  const wrong = (why: string): UsageError => new UsageError(`--admin ${why}`, command);
  const text = given.includes('://') ? given : `http://${given}`;
  if (!URL.canParse(text)) throw wrong(`is not a URL such as ${DEFAULT_BASE}`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw wrong('must begin with http:// or https://');
  if (url.username !== '' || url.password !== '') throw wrong(`takes no user: the token goes into ${TOKEN_VARIABLE}`);
  if (url.search !== '' || url.hash !== '') throw wrong('takes no query and no fragment');
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/**
 * Where the file puts the admin listener. Other errors in the file are no matter here: a gateway that refused to reload it
 * runs on, and a health check must not end it.
 */
async function configuredBase(args: ParsedArgs, io: CommandIo): Promise<string> {
  if (args.text('config') === undefined && findConfigFile(io.cwd) === null) return DEFAULT_BASE;
  const file = configFile(args, io);
  const { adminAddress, findings } = await readConfig(file, io);
  if (adminAddress === undefined) {
    throw new OperatorError(`${file} does not say where the admin listener is\n${textOfFindings(findings)}`.trimEnd());
  }
  if (adminAddress === null) throw new OperatorError(`${file} turns the admin listener off: there is nothing to ask`);
  if (adminAddress.port === 0) {
    throw new OperatorError(
      `${file} lets the system choose the admin port: give the one of the start line with --admin URL`,
    );
  }
  return `http://${formatAddress(reachable(adminAddress))}`;
}

/** Where to connect for an address that is listened on: every interface has the loopback one among it. */
function reachable({ host, port }: Address): Address {
  if (host === '' || host === '0.0.0.0') return { host: '127.0.0.1', port };
  return { host: host === '::' ? '::1' : host, port };
}

function tokenOf({ env }: CommandIo): string | undefined {
  const token = env[TOKEN_VARIABLE];
  if (token === undefined || token === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new OperatorError(`${TOKEN_VARIABLE} is no token: it must be printable ASCII without spaces and line breaks`);
  }
  return token;
}

function send(
  method: string,
  url: string,
  { headers, body }: AdminRequest,
  token: string | undefined,
  timeout: number,
): Promise<AdminAnswer> {
  // Not `fetch`: it would keep the connection, and with it the process, and it adds an Origin to some requests.
  const begin = url.startsWith('https:') ? overHttps : overHttp;
  // One clock for connecting, waiting and reading: a trickle of an answer is none.
  const signal = AbortSignal.timeout(timeout);
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const why = signal.aborted ? `no answer within ${formatDuration(timeout)}` : reasonOf(error);
      reject(new UnreachableError(`no gateway at ${url}: ${why}`));
    };
    const request = begin(url, {
      method,
      agent: false,
      signal,
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
    });
    request.on('error', fail);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        resolve({
          status: response.statusCode as number,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
          withToken: token !== undefined,
        });
      });
    });
    request.end(body);
  });
}

function reasonOf({ code = '', message }: NodeJS.ErrnoException): string {
  if (code.startsWith('HPE_')) return 'what answers there does not speak HTTP';
  return REASONS[code] ?? message;
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name could not be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
};
