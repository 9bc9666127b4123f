/** `portico explain`: for one request or relayed connection, which route, policies and endpoint decide, and why the others did not. */
import { OperatorError } from '../base/errors.ts';
import { normalizeIp } from '../base/ip.ts';
import { textOfFindings } from '../config/finding.ts';
import type { GatewayConfig } from '../config/model.ts';
import { builtInPolicies } from '../gateway/built-in-policies.ts';
import { explainRequest } from '../gateway/explain.ts';
import { explainConnection, parseServerName } from '../gateway/explain-connection.ts';
import type { ExplainedConnection, Explanation } from '../gateway/explanation.ts';
import { type Command, type ParsedArgs, parseCommandArgs, UsageError } from './command.ts';
import { CONFIG_OPTION, configFile, readConfig } from './config-file.ts';

export const explainCommand: Command = {
  name: 'explain',
  summary:
    'Tells which route, policies and endpoint decide a request or a relayed connection, and why the others do not. Exit status 1: no route.',
  details:
    'It runs the code that serves, with a socket that leads nowhere: what it prints is what would be sent. Of a quarantined route it tells why. ' +
    'The listener is the one of the scheme and port of the URL, or the nearest to that; `ws://` and `wss://` add the handshake of a WebSocket. A call of gRPC ' +
    '(by its `content-type`) comes by HTTP/2 where the listener speaks it. What a client shows under mutual TLS is not known here. ' +
    'Without METHOD and URL it tells of a connection that is only relayed: `--listener` says where it comes in, `--sni` which server its client asks for.',
  usage: "METHOD URL [-H 'name: value']... | --listener NAME [--sni NAME] -c FILE [--json]",
  options: [
    CONFIG_OPTION,
    { name: 'header', short: 'H', value: 'LINE', repeated: true, help: 'a request header, `name: value`' },
    {
      name: 'listener',
      value: 'NAME',
      help: 'the listener of a connection; default with --sni: the only one of mode tls-passthrough',
    },
    { name: 'sni', value: 'NAME', help: 'the server name that the client of a connection asks for' },
    { name: 'client', value: 'ADDRESS', help: "the peer's address; default 127.0.0.1" },
    { name: 'json', help: 'the explanation as one JSON object' },
  ],
  positionals: 2,
  async run(args, io) {
    const parsed = parseCommandArgs(explainCommand, args);
    const client = parsed.text('client');
    if (client !== undefined && normalizeIp(client) === null)
      throw new UsageError(`--client "${client}" is no IP address`, explainCommand);
    const ask = isOfConnection(parsed) ? connectionIn(parsed) : requestIn(parsed);
    const { config, findings } = await readConfig(configFile(parsed, io), io);
    if (config === null) throw new OperatorError(`the file has errors\n${textOfFindings(findings)}`);
    const explanation = await ask(config);
    io.out(parsed.flag('json') ? `${JSON.stringify(explanation)}\n` : textOf(explanation));
    return explanation.route === null ? 1 : 0;
  },
};

type Ask = (config: GatewayConfig) => Promise<Explanation>;

function isOfConnection(parsed: ParsedArgs): boolean {
  return parsed.text('listener') !== undefined || parsed.text('sni') !== undefined;
}

function requestIn(parsed: ParsedArgs): Ask {
  const [method, url] = parsed.positionals;
  if (method === undefined || url === undefined) {
    throw new UsageError(`usage: portico explain ${explainCommand.usage}`, explainCommand);
  }
  if (!url.startsWith('/') && !/^(https?|wss?):\/\//i.test(url))
    throw new UsageError(`"${url}" is neither a URL nor a path`, explainCommand);
  const request = { method, url, headers: parsed.list('header'), clientAddress: parsed.text('client') };
  return (config) => explainRequest(config, request, builtInPolicies);
}

function connectionIn(parsed: ParsedArgs): Ask {
  const listener = parsed.text('listener');
  const name = parsed.text('sni');
  const own = listener === undefined ? '--sni' : '--listener';
  const [other] = [...parsed.positionals, ...parsed.list('header')];
  if (other !== undefined)
    throw new UsageError(`"${other}" is of a request, and ${own} of a connection`, explainCommand);
  const sni = name === undefined ? undefined : parseServerName(name);
  if (sni === null)
    throw new UsageError(`--sni "${name}" is no server name; those beyond ASCII are in punycode`, explainCommand);
  const connection = { listener, sni, clientAddress: parsed.text('client') };
  return async (config) => {
    const explanation = await explainConnection(config, connection, builtInPolicies);
    if (!('fault' in explanation)) return explanation;
    throw new OperatorError(`--${explanation.part}: ${explanation.fault}`);
  };
}

function textOf(explanation: Explanation): string {
  const { route, candidates, policies, service, sticky, endpoints, request, answer, reason, quarantined } = explanation;
  const { connection } = explanation;
  const lines = connection === undefined ? [] : [`connection: ${textOfConnection(connection)}`];
  lines.push(`route: ${route ?? 'none'}`);
  if (quarantined !== undefined) lines.push(`quarantined: ${quarantined}`);
  for (const candidate of candidates) {
    if (candidate.route !== route) lines.push(`  not ${candidate.route}: ${candidate.reason}`);
    else lines.push(`  ${candidate.route}: ${candidate.reason}`);
  }
  if (policies.length > 0) lines.push('policies:');
  for (const { name, phase, effect } of policies) lines.push(`  ${phase}: ${name} ${effect}`);
  if (service !== null) lines.push(`service: ${service}`);
  if (sticky !== undefined) lines.push(`  sticky ${sticky}`);
  for (const { url, weight, chosen } of endpoints) lines.push(`  ${chosen ? '->' : '  '} ${url} (weight ${weight})`);
  if (request !== null) {
    lines.push('request as it would be sent:', `  ${request.method} ${request.url}`);
    for (const [name, value] of Object.entries(request.headers)) {
      for (const one of Array.isArray(value) ? value : [value]) lines.push(`  ${name}: ${one}`);
    }
  }
  if (connection?.error != null) lines.push(`reset by the gateway: ${connection.error}`);
  if (answer !== null) lines.push(`answered by the gateway: ${answer.status} ${answer.code}`.trimEnd());
  if (reason !== undefined) lines.push(`  ${reason}`);
  return `${lines.join('\n')}\n`;
}

function textOfConnection({ listener, protocol, sni, proxyProtocol }: ExplainedConnection): string {
  const name = protocol === 'TCP' ? '' : sni === '' ? ', without a server name' : ` for ${sni}`;
  const told = proxyProtocol === undefined ? '' : `; the endpoint gets a PROXY header, ${proxyProtocol}`;
  return `${protocol} at ${listener}${name}${told}`;
}
