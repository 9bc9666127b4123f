/** The access-log line of all fields: what nearly everybody runs, and so on the path of nearly every request. */
import type { AccessEntry, AccessLine } from './access-entry.ts';
import { createLineStart, millisecondsJson, optionalJson } from './access-fields.ts';
import { jsonString } from './json-string.ts';
import { REDACTED, type Redaction } from './redaction.ts';

/**
 * Lines of all fields, in the order of the reference. Joining few long pieces is what makes it fast: pieces that repeat
 * from request to request are kept, and looked up rather than made.
 */
export function createWholeLine(redaction: Redaction): AccessLine {
  const start = createLineStart();
  const clients = new ClientText(redaction.hides('host'));
  const places = new PlaceTexts();
  const statuses = new StatusText();
  const callers = new CallerText();
  const agents = redaction.hides('user-agent') ? null : new AgentTexts();
  const hiddenAgent = agentText(`"${REDACTED}"`);
  return (entry, wall) => {
    const { target, durationMs, upstreamMs, retries, errorCode, bytesIn } = entry;
    const mark = target.indexOf('?');
    return (
      start(wall) +
      ('"request_id":"' + entry.requestId) +
      clients.of(entry) +
      (mark < 0
        ? jsonString(target)
        : `${jsonString(target.slice(0, mark))},"query":${jsonString(redaction.query(target.slice(mark + 1)))}`) +
      places.of(entry) +
      (statuses.of(entry) + bytesIn) +
      (',"bytes_out":' + entry.bytesOut + ',"duration_ms":' + millisecondsJson(durationMs)) +
      (',"upstream_ms":' + millisecondsJson(upstreamMs)) +
      (',"gateway_ms":' + millisecondsJson(durationMs - Math.max(0, upstreamMs))) +
      (retries === 0 && errorCode === '' ? ',"retries":0,"error":null,"trace_id":' : troubleText(retries, errorCode)) +
      (entry.traceId === '' ? 'null' : `"${entry.traceId}"`) +
      callers.of(entry.identity) +
      (agents === null ? hiddenAgent : agents.of(entry.userAgent()))
    );
  };
}

function troubleText(retries: number, errorCode: string): string {
  return `,"retries":${retries},"error":${optionalJson(errorCode)},"trace_id":`;
}

function agentText(json: string): string {
  return `,"user_agent":${json}}\n`;
}

/** The part that a client and the host it speaks to make: the same as before for requests of one connection. */
class ClientText {
  private readonly hidesHost: boolean;
  private client = '';
  private method = '';
  private host = '';
  private text: string;

  constructor(hidesHost: boolean) {
    this.hidesHost = hidesHost;
    this.text = this.make();
  }

  of({ clientAddress, method, host }: AccessEntry): string {
    if (clientAddress !== this.client || host !== this.host || method !== this.method) {
      this.client = clientAddress;
      this.host = host;
      this.method = method;
      this.text = this.make();
    }
    return this.text;
  }

  private make(): string {
    const host = this.hidesHost ? `"${REDACTED}"` : jsonString(this.host);
    return `","client":${jsonString(this.client)},"method":${jsonString(this.method)},"host":${host},"path":`;
  }
}

/** Texts kept of each kind: as many as a large configuration has routes. */
const KEPT = 20_000;

/** The part that protocol, route, service and endpoint make, from the tables of those that were seen. */
class PlaceTexts {
  private readonly routes = new Map<string, { readonly service: string; readonly text: string }>();
  private readonly endpoints = new Map<string, string>();

  of({ protocol, route, service, endpoint }: AccessEntry): string {
    const known = this.routes.get(route);
    const place = known !== undefined && known.service === service ? known.text : this.addRoute(route, service);
    const end = this.endpoints.get(endpoint) ?? this.addEndpoint(endpoint);
    return (protocol === 'HTTP/1.1' ? ',"protocol":"HTTP/1.1",' : `,"protocol":"${protocol}",`) + place + end;
  }

  private addRoute(route: string, service: string): string {
    if (this.routes.size >= KEPT) this.routes.clear();
    const text = `"route":${jsonString(route)},"service":${optionalJson(service)},"endpoint":`;
    this.routes.set(route, { service, text });
    return text;
  }

  private addEndpoint(endpoint: string): string {
    if (this.endpoints.size >= KEPT) this.endpoints.clear();
    const text = `${optionalJson(endpoint)},"status":`;
    this.endpoints.set(endpoint, text);
    return text;
  }
}

/** The part that the statuses make; mostly that of the request before. */
class StatusText {
  private status = -1;
  private upstream = -1;
  private grpc = -1;
  private text = '';

  of({ status, upstreamStatus, grpcStatus }: AccessEntry): string {
    if (status !== this.status || upstreamStatus !== this.upstream || grpcStatus !== this.grpc) {
      this.status = status;
      this.upstream = upstreamStatus;
      this.grpc = grpcStatus;
      const upstream = upstreamStatus === 0 ? 'null' : upstreamStatus;
      this.text = `${status},"upstream_status":${upstream},"grpc_status":${grpcStatus < 0 ? 'null' : grpcStatus},"bytes_in":`;
    }
    return this.text;
  }
}

/** The part that the caller makes; of callers that come again the very object comes again, too. */
class CallerText {
  private identity: AccessEntry['identity'] = null;
  private text = NOBODY;

  of(identity: AccessEntry['identity']): string {
    if (identity === null) return NOBODY;
    if (identity !== this.identity) {
      this.identity = identity;
      this.text = `,"user":${optionalJson(identity.subject)},"consumer":${optionalJson(identity.consumer ?? '')}`;
    }
    return this.text;
  }
}

const NOBODY = ',"user":null,"consumer":null';

/** Slots for user agents, which are long and repeat. A power of two. */
const AGENT_SLOTS = 64;

/** Longer ones are not kept. */
const AGENT_LENGTH = 512;

/** The end of a line, with the user agent. */
class AgentTexts {
  private readonly agents: string[] = new Array(AGENT_SLOTS).fill('');
  private readonly texts: string[] = new Array(AGENT_SLOTS).fill(agentText('null'));

  of(agent: string): string {
    const { length } = agent;
    if (length > AGENT_LENGTH) return agentText(jsonString(agent));
    const slot =
      length === 0
        ? 0
        : (length * 31 + agent.charCodeAt(length >> 1) * 7 + agent.charCodeAt(length - 1)) & (AGENT_SLOTS - 1);
    if (this.agents[slot] === agent) return this.texts[slot];
    // A copy: a slice would keep the whole head it came in.
    this.agents[slot] = Buffer.from(agent, 'latin1').toString('latin1');
    return (this.texts[slot] = agentText(optionalJson(agent)));
  }
}
