/** `portico check`: everything that `start` would check, and what it would accept but nobody would want. */
import { type Finding, textOfFindings } from '../config/finding.ts';
import { lintRoutes } from '../router/lint.ts';
import { type Command, parseCommandArgs } from './command.ts';
import { configFile, readConfig } from './config-file.ts';

export const checkCommand: Command = {
  name: 'check',
  summary: 'Checks configuration files without running them. Exit status 1 when there are errors.',
  usage: 'FILE... [--json]',
  options: [{ name: 'json', help: 'findings as one JSON object' }],
  positionals: Number.POSITIVE_INFINITY,
  async run(args, io) {
    const parsed = parseCommandArgs(checkCommand, args);
    const files = parsed.positionals.length > 0 ? parsed.positionals : [configFile(parsed, io)];
    const findings: Finding[] = [];
    for (const file of files) {
      const loaded = await readConfig(file, io);
      findings.push(...loaded.findings);
      if (loaded.config === null) continue;
      for (const fault of lintRoutes(loaded.config.routes)) {
        const index = loaded.config.routes.findIndex((route) => route.name === fault.route);
        const path = `routes[${index}]`;
        const { line, column } = loaded.locate(path);
        findings.push({ file, line, column, severity: 'warning', code: fault.code, message: fault.message, path });
      }
    }
    if (parsed.flag('json')) io.out(`${JSON.stringify({ findings })}\n`);
    else io.out(findings.length === 0 ? `${files.join(', ')}: no findings\n` : textOfFindings(findings));
    return findings.some(({ severity }) => severity === 'error') ? 1 : 0;
  },
};
