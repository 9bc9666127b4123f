/** `portico hash-password`: the hash of a password, as `basicAuth` takes it. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { OperatorError } from '../base/errors.ts';
import { createPasswordHash } from '../policies/basic-auth/password-hash.ts';
import { type Command, type CommandIo, parseCommandArgs } from './command.ts';

export const hashPasswordCommand: Command = {
  name: 'hash-password',
  summary: 'Prints the hash of a password, for `users` of `basicAuth`.',
  details:
    'The password is the first line of the standard input, and is not shown where it is typed: a command line can be seen in the list of processes.',
  usage: '',
  options: [],
  async run(args, io) {
    parseCommandArgs(hashPasswordCommand, args);
    const password = await readPassword(io);
    // RFC 7617 section 2: nobody could send it.
    if (password === '' || /[\u0000-\u001f\u007f]/.test(password)) {
      throw new OperatorError('the first line of the standard input must be a password without control characters');
    }
    io.out(`${createPasswordHash(password)}\n`);
    return 0;
  },
};

async function readPassword({ error, input = process.stdin }: CommandIo): Promise<string> {
  const isTerminal = 'isTTY' in input && input.isTTY === true;
  if (isTerminal) error('Password: ');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: isTerminal });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    if (isTerminal) error('\n');
  }
}
