/** `portico explain`: for one request, which route, policies and endpoint decide, and why the others did not. */
import { OperatorError } from '../base/errors.ts';
import { textOfFindings } from '../config/finding.ts';
import { builtInPolicies } from '../gateway/built-in-policies.ts';
import { type Explanation, explainRequest } from '../gateway/explain.ts';
import { type Command, parseCommandArgs, UsageError } from './command.ts';
import { CONFIG_OPTION, configFile, readConfig } from './config-file.ts';

export const explainCommand: Command = {
  name: 'explain',
  summary:
    'Tells which route, policies and endpoint decide a request, and why the others do not. Exit status 1: no route.',
  details:
    'It runs the code that serves, with a socket that leads nowhere: what it prints is what would be sent. Of a quarantined route it tells why. ' +
    'The listener is the one of the scheme and port of the URL, or the nearest to that; `ws://` and `wss://` add the handshake of a WebSocket. A call of gRPC ' +
    '(by its `content-type`) comes by HTTP/2 where the listener speaks it. What a client shows under mutual TLS is not known here.',
  usage: "METHOD URL [-H 'name: value']... -c FILE [--json]",
  options: [
    CONFIG_OPTION,
    { name: 'header', short: 'H', value: 'LINE', repeated: true, help: 'a request header, `name: value`' },
    { name: 'client', value: 'ADDRESS', help: "the peer's address; default 127.0.0.1" },
    { name: 'json', help: 'the explanation as one JSON object' },
  ],
  positionals: 2,
  async run(args, io) {
    const parsed = parseCommandArgs(explainCommand, args);
    const [method, url] = parsed.positionals;
    if (method === undefined || url === undefined) {
      throw new UsageError(`usage: portico explain ${explainCommand.usage}`, explainCommand);
    }
    if (!url.startsWith('/') && !/^(https?|wss?):\/\//i.test(url))
      throw new UsageError(`"${url}" is neither a URL nor a path`, explainCommand);
    const { config, findings } = await readConfig(configFile(parsed, io), io);
    if (config === null) throw new OperatorError(`the file has errors\n${textOfFindings(findings)}`);
    const request = { method, url, headers: parsed.list('header'), clientAddress: parsed.text('client') };
    const explanation = await explainRequest(config, request, builtInPolicies);
    io.out(parsed.flag('json') ? `${JSON.stringify(explanation)}\n` : textOf(explanation));
    return explanation.route === null ? 1 : 0;
  },
};

function textOf(explanation: Explanation): string {
  const { route, candidates, policies, service, sticky, endpoints, request, answer, reason, quarantined } = explanation;
  const lines = [`route: ${route ?? 'none'}`];
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
  if (answer !== null) lines.push(`answered by the gateway: ${answer.status} ${answer.code}`.trimEnd());
  if (reason !== undefined) lines.push(`  ${reason}`);
  return `${lines.join('\n')}\n`;
}
