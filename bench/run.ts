/** The benchmark's one command: runs scenarios on the peers of this machine, prints the tables and writes them down. */
import { join } from 'node:path';
import { createBench } from './bench.ts';
import { describeMachine, isInstalled } from './measure/machine.ts';
import { HELP, type Options, parseOptions } from './options.ts';
import { allPeers } from './peers/all.ts';
import { installNodePeers } from './peers/install.ts';
import { createOtherPortico } from './peers/portico.ts';
import { renderTable, writeResult } from './report.ts';
import { allScenarios } from './scenarios/all.ts';

async function main(options: Options): Promise<void> {
  const bench = createBench(options, []);
  const onSignal = (): void => {
    // Processes end with ours (the exit listener sees to it); what is left is the directory.
    bench.close().finally(() => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    if (options.install) {
      const missing = await installNodePeers(bench.processes);
      if (missing.length > 0) bench.say(`not installed: ${missing.join('; ')}`);
    }
    const wanted = allPeers.filter((peer) => options.peers.includes(peer.name));
    if (options.against !== undefined) wanted.unshift(createOtherPortico(options.against));
    const present = wanted.filter((peer) => peer.version() !== undefined);
    const absent = wanted.filter((peer) => !present.includes(peer)).map((peer) => peer.name);
    if (absent.length > 0) bench.say(`absent on this machine: ${absent.join(', ')}`);
    const machine = describeMachine();
    for (const scenario of allScenarios.filter((each) => options.scenarios.includes(each.name))) {
      bench.say(`\n# ${scenario.name}: ${scenario.summary}`);
      if (scenario.needs !== undefined && !isInstalled(scenario.needs.program)) {
        bench.say(`left out: it needs ${scenario.needs.program} (Debian: ${scenario.needs.debian})`);
        continue;
      }
      const protocol = scenario.protocol ?? 'http/1.1';
      const peers = present.filter(({ protocols }) => protocols.includes(protocol));
      const found = await scenario.run({ ...bench, peers });
      const notes = absent.length > 0 ? [...found.notes, `Absent on this machine: ${absent.join(', ')}.`] : found.notes;
      const result = { ...found, notes };
      process.stdout.write(`\n## ${scenario.name}\n\n${renderTable(result.table)}\n\n`);
      process.stdout.write(`${result.notes.map((note) => `- ${note}`).join('\n')}\n`);
      if (options.write) bench.say(`written: ${writeResult(bench, result, machine, options.out)}.md and .json`);
    }
  } finally {
    await bench.close();
  }
}

const options = parseOptions(process.argv.slice(2), join(import.meta.dirname, 'results'));
if (options === 'help') process.stdout.write(HELP);
else await main(options);
