/** `portico check`: everything that `start` would check, and what it would accept but nobody would want. */
import { type Finding, textOfFindings } from '../config/finding.ts';
import { lintRoutes } from '../router/lint.ts';
import { type Command, parseCommandArgs } from './command.ts';
import { configFile, readConfig } from './config-file.ts';

export const checkCommand: Command = {
  name: 'check',
  summary: 'Checks configuration files without running them. Exit status 1 when there are errors.',
  details:
    'Each finding is `FILE:LINE:COLUMN: error CODE: message`, or `warning`. Where all errors lie within routes and the file says `onInvalidRoute: quarantine`, a last line names the routes that the gateway would quarantine, `--json` lists them as `quarantined`, and the exit status is 1 all the same.',
  usage: 'FILE... [--json]',
  options: [{ name: 'json', help: 'findings as one JSON object' }],
  positionals: Number.POSITIVE_INFINITY,
  async run(args, io) {
    const parsed = parseCommandArgs(checkCommand, args);
    const files = parsed.positionals.length > 0 ? parsed.positionals : [configFile(parsed, io)];
    const findings: Finding[] = [];
    const quarantined: { file: string; route: string; matched: boolean }[] = [];
    for (const file of files) {
      const loaded = await readConfig(file, io);
      findings.push(...loaded.findings);
      if (loaded.config === null) continue;
      const { routes } = loaded.config;
      for (const { name, matched } of loaded.quarantined) quarantined.push({ file, route: name, matched });
      for (const fault of lintRoutes(routes)) {
        const index = routes.findIndex((route) => route.name === fault.route);
        // Of a route that must be mended anyway there is enough to read.
        if (routes[index].quarantined !== undefined) continue;
        const path = `routes[${index}]`;
        const { line, column } = loaded.locate(path);
        findings.push({ file, line, column, severity: 'warning', code: fault.code, message: fault.message, path });
      }
    }
    if (parsed.flag('json'))
      io.out(`${JSON.stringify({ findings, ...(quarantined.length === 0 ? {} : { quarantined }) })}\n`);
    else {
      io.out(findings.length === 0 ? `${files.join(', ')}: no findings\n` : textOfFindings(findings));
      for (const file of new Set(quarantined.map((route) => route.file))) io.out(quarantineLine(file, quarantined));
    }
    return findings.some(({ severity }) => severity === 'error') ? 1 : 0;
  },
};

/** Most routes that the line names. */
const mostNamed = 10;

/** The gateway starts with such a file, so its errors are told apart from those that keep it from starting. */
function quarantineLine(file: string, all: readonly { file: string; route: string }[]): string {
  const names = all.filter((route) => route.file === file).map(({ route }) => route);
  const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : '';
  const count = names.length === 1 ? 'one route' : `${names.length} routes`;
  return `${file}: the gateway would run and quarantine ${count}: ${names.slice(0, mostNamed).join(', ')}${more}\n`;
}
