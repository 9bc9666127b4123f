/** The addresses of a supervisor: none is kept that nobody answers at. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { configFor, configOf } from '../../../test/support/gateway.ts';
import { Inheritance } from '../../base/inherited.ts';
import { Sockets } from './sockets.ts';

/** Whether somebody listens at the port. */
function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

test.each(['commit', 'discard'] as const)(
  'what was opened for a change is closed when the gateway stops before its %s',
  async (end) => {
    const sockets = new Sockets('handed-over', new Inheritance(), (_listener, socket) => void socket.destroy());
    const { listeners } = await configOf(configFor(['http://127.0.0.1:1']));
    const prepared = await sockets.prepare(listeners);
    const { port } = prepared.listeners[0].address;
    expect(await isTaken(port)).toBe(true);
    sockets.close();
    prepared[end]();
    expect(await isTaken(port)).toBe(false);
  },
);
