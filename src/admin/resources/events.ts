/** What happens in the gateway, as it happens: server-sent events (WHATWG HTML, section 9.2). */
import type { KeptEvent } from '../../observability/events.ts';
import type { LastingBody } from '../reply.ts';
import { type AdminResource, adminRoute } from '../route.ts';
import type { AdminSource } from '../source.ts';

const EVENT_STREAM_MEDIA_TYPE = 'text/event-stream';

/** Milliseconds between two comments that only show that both sides are there. */
const HEARTBEAT = 15_000;

/** Milliseconds after which a client that lost the stream comes back. */
const RETRY = 2000;

const DESCRIPTION = `Each event has an \`id\`, its kind as \`event\`, and JSON in \`data\` with the time as \`at\`:

| event | data |
|---|---|
| \`config\` | \`generation\` that runs, \`result\` (\`applied\` or \`failed\`), and where known \`cause\` and \`error\` |
| \`health\` | \`service\`, \`endpoint\`, \`healthy\`, \`reason\` |
| \`worker\` | \`pid\`, \`state\` (\`running\`, \`draining\`, \`killed\`, \`ended\`), \`reason\` |
| \`breaker\` | \`service\`, \`endpoint\`, \`state\` (\`open\`, \`half-open\`, \`closed\`), \`reason\` |
| \`missed\` | nothing: there may have been events that are no longer kept; read \`/status\` |

The last 256 events are kept: a client that comes back with \`Last-Event-ID\` gets what it missed. A comment comes every 15
seconds. At most 32 clients may listen; one that does not read is dropped. The stream ends when the gateway begins to stop.`;

export const events: AdminResource = {
  name: 'Events',
  summary: 'What happens in the gateway, as it happens.',
  routes: [
    adminRoute({
      method: 'GET',
      path: '/events',
      id: 'followEvents',
      summary: 'Changes of the configuration, of health, of workers and of circuit breakers, as server-sent events.',
      description: DESCRIPTION,
      headers: { 'Last-Event-ID': 'The `id` of the last event that was seen; those after it come first.' },
      answers: { 200: { description: 'The stream.', mediaType: EVENT_STREAM_MEDIA_TYPE } },
      refusals: ['overloaded', 'draining'],
      example: { path: '/events', status: 200, lasting: true },
      answer(source, { headers, refuse }) {
        if (!source.ready()) return refuse('draining', 'The gateway is starting or stopping.');
        if (source.events.full) return refuse('overloaded', 'No more clients may follow the events.');
        const seen = headers['last-event-id'];
        const body = streamOf(source.events, typeof seen === 'string' && seen !== '' ? seen : null);
        return { status: 200, mediaType: EVENT_STREAM_MEDIA_TYPE, body };
      },
    }),
  ],
};

function streamOf(log: AdminSource['events'], seen: string | null): LastingBody {
  return {
    heartbeat: { text: ':\n\n', every: HEARTBEAT },
    begin(sink) {
      sink.write(`retry: ${RETRY}\n\n`);
      if (seen !== null) {
        const { events: unseen, missed } = log.since(seen);
        if (missed) sink.write('event: missed\ndata: {}\n\n');
        for (const event of unseen) sink.write(textOf(event));
      }
      const unfollow = log.follow((event) => void sink.write(textOf(event)));
      if (unfollow === null) sink.end();
      return unfollow ?? (() => {});
    },
  };
}

function textOf({ id, at, event }: KeptEvent): string {
  const { type, ...data } = event;
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ at, ...data })}\n\n`;
}
