/** The version of this package, read from its own manifest. */
import { readFileSync } from 'node:fs';
import { type Command, parseCommandArgs } from './command.ts';

/** As in package.json; the file stands two levels above both `src/cli` and `dist/cli`. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

export const versionCommand: Command = {
  name: 'version',
  summary: 'Prints the version of Portico and of Node.js.',
  usage: '',
  options: [],
  run(args, io) {
    parseCommandArgs(versionCommand, args);
    io.out(`portico ${packageVersion()}\nnode ${process.versions.node}\n`);
    return Promise.resolve(0);
  },
};
