/** The gateway as a process: stopped, or succeeded by the program on disk. */
import { z } from 'zod';
import { json } from '../reply.ts';
import { type AdminResource, adminRoute } from '../route.ts';

export const processes: AdminResource = {
  name: 'Process',
  summary: 'The gateway as a process: stopped, or succeeded by the program on disk.',
  routes: [
    adminRoute({
      method: 'POST',
      path: '/drain',
      id: 'drain',
      summary: 'Stops the gateway as SIGTERM does: not ready at once, serving for `shutdown.drain`, and then gone.',
      answers: {
        202: { description: 'It has begun, now or before.', schema: z.object({ state: z.literal('draining') }) },
      },
      refusals: ['conflict'],
      example: { path: '/drain', status: 202 },
      answer(source, request) {
        if (source.drain === undefined)
          return request.refuse('conflict', 'This gateway can only be stopped from where it was started.');
        source.drain();
        return json(202, { state: 'draining' });
      },
    }),
    adminRoute({
      method: 'POST',
      path: '/upgrade',
      id: 'upgrade',
      summary: 'Has the program and the file on disk take over without a lost request, as SIGUSR2 does.',
      description:
        'Answers when the successor serves, or with 409 when it could not start: then the running gateway stays.',
      answers: {
        200: { description: 'The successor serves; this process drains.', schema: z.object({ pid: z.int() }) },
      },
      refusals: ['conflict'],
      example: { path: '/upgrade', status: 200 },
      async answer(source, request) {
        if (source.upgrade === undefined)
          return request.refuse('conflict', 'This gateway cannot be upgraded: it was not started by `portico start`.');
        try {
          return json(200, { pid: await source.upgrade() });
        } catch (error) {
          return request.refuse('conflict', `The upgrade failed: ${(error as Error).message}`);
        }
      },
    }),
  ],
};
