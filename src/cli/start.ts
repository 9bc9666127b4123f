/** `portico start`: runs the gateway until it is told to stop, and changes it when its file does. */
import { formatAddress } from '../base/address.ts';
import { systemTimers } from '../base/clock.ts';
import { textOfFindings } from '../config/finding.ts';
import { createLogger } from '../observability/logger.ts';
import { type Command, type CommandIo, parseCommandArgs } from './command.ts';
import { CONFIG_OPTION, configFile } from './config-file.ts';
import { FileWatches } from './file-watches.ts';
import { Lifecycle } from './lifecycle.ts';
import { startManaged } from './managed-gateway.ts';
import { decline, inherit, succeed } from './successor.ts';

export const startCommand: Command = {
  name: 'start',
  summary:
    'Runs the gateway. SIGTERM and SIGINT drain and stop it, SIGHUP reloads the file, SIGUSR1 reopens the logs, SIGUSR2 upgrades it.',
  details:
    'Prints one JSON line with `"msg":"listening"` and the address per listener. Exit status 0 after a clean stop, 1 when it could not start.',
  usage: '-c FILE [--watch] [--boot-last-good] [--state-dir DIR]',
  options: [
    CONFIG_OPTION,
    { name: 'watch', help: 'reload when the file changes' },
    { name: 'boot-last-good', help: 'when the file has errors, start with the last configuration that ran' },
    { name: 'state-dir', value: 'DIR', help: 'in place of `stateDir` of the file; default: PORTICO_STATE_DIR' },
  ],
  async run(args, io) {
    const parsed = parseCommandArgs(startCommand, args);
    const file = configFile(parsed, io);
    const watches = new FileWatches({ timers: systemTimers, watchConfig: parsed.flag('watch') });
    // The level of the file is not known before it is read.
    const logger = createLogger({ level: 'info' });
    const lifecycle = new Lifecycle(logger);
    const started = await startManaged({
      file,
      directory: io.cwd,
      env: io.env,
      logger,
      bootLastGood: parsed.flag('boot-last-good'),
      stateDir: parsed.text('state-dir') ?? io.env.PORTICO_STATE_DIR,
      onFiles: (files) => watches.onFiles(files),
      onTlsFiles: (files) => watches.onTlsFiles(files),
      inherit,
      drain: () => lifecycle.stop('api'),
      upgrade: () => lifecycle.upgrade(),
    }).catch(async (error: Error) => {
      await decline(error.message);
      throw error;
    });
    if ('findings' in started) {
      const text = textOfFindings(started.findings);
      io.error(text);
      await decline(`the file has errors\n${text}`.trimEnd());
      return 1;
    }
    const { server, control, registry } = started;
    // Before anybody is told that it listens, and sends a signal.
    watches.begin(control);
    process.on('SIGHUP', () => watches.reload('signal'));
    process.on('SIGUSR1', () => server.reopenLogs());
    const stopped = lifecycle.untilStopped(server, {
      leases: () => registry.leases,
      // A change that the successor has not read would be lost with this process.
      hold: (work) => control.hold(work),
    });
    for (const address of server.addresses) announce(io, address.name, formatAddress(address));
    if (server.admin !== null) announce(io, 'admin', formatAddress(server.admin));
    succeed();
    await stopped;
    registry.close();
    watches.close();
    return 0;
  },
};

/** Whatever the log level: scripts wait for this line. */
function announce(io: CommandIo, listener: string, address: string): void {
  io.out(`${JSON.stringify({ time: new Date().toISOString(), level: 'info', msg: 'listening', listener, address })}\n`);
}
