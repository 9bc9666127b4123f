/** WebSockets that play ping-pong through the proxy: what one message there and back costs it. */
import type { Bench } from '../bench.ts';
import { alternate } from '../measure/round.ts';
import { type Subject, startSubjects, stopSubjects, urlOf } from '../measure/subject.ts';
import { type Load, loadCommand, runLoad } from '../measure/wrk.ts';
import { startEcho } from '../origin/origin.ts';
import { type Result, recordSubject } from '../report.ts';
import { COST_NOTE, costTable } from './cost-table.ts';
import { remarksOn, roundsByName, type Scenario } from './scenario.ts';

const SOCKETS = 64;
const MESSAGE_BYTES = 100;

/** Whether messages come back: that a proxy answers requests says nothing of WebSockets. */
async function echoes(bench: Bench, subject: Subject): Promise<boolean> {
  try {
    const url = urlOf(subject, '/chat');
    const { requests } = await runLoad(bench, { url, connections: 1, messageBytes: MESSAGE_BYTES, seconds: 0.2 });
    return requests > 0;
  } catch (error) {
    bench.say(`${subject.peer.name} opens no WebSocket: ${String(error)}`);
    return false;
  }
}

async function startEchoing(bench: Bench, originPort: number): Promise<{ subjects: Subject[]; notes: string[] }> {
  const { subjects: started, notes } = await startSubjects(bench, bench.peers, { originPort, protocol: 'websocket' });
  const subjects: Subject[] = [];
  for (const subject of started) {
    if (await echoes(bench, subject)) subjects.push(subject);
    else {
      await stopSubjects(bench, [subject]);
      notes.push(`${subject.peer.name} opens no WebSocket and is left out.`);
    }
  }
  return { subjects, notes };
}

async function run(bench: Bench): Promise<Result> {
  const origin = await startEcho(bench);
  const { subjects, notes } = await startEchoing(bench, origin.port);
  const loadOf = (subject: Subject): Load => ({
    url: urlOf(subject, '/chat'),
    connections: SOCKETS,
    messageBytes: MESSAGE_BYTES,
    seconds: bench.settings.seconds,
  });
  const rounds = await alternate(bench, subjects, loadOf);
  await stopSubjects(bench, subjects);
  await bench.processes.stop(origin.running);
  return {
    scenario: 'websocket',
    description: `${SOCKETS} WebSockets, on each a message of ${MESSAGE_BYTES} bytes that the origin sends back, and the next when it has come.`,
    client: 'a program of the benchmark',
    table: costTable(rounds, 'echo', 'echoes/s'),
    loads: subjects.map((subject) => `taskset -c ${bench.cores.client} ${loadCommand(loadOf(subject)).join(' ')}`),
    subjects: subjects.map((subject) => recordSubject(bench, subject)),
    notes: [
      'An echo is two messages for the proxy: one there, one back. The opening of the sockets is in the figure, once a round.',
      COST_NOTE,
      'Client and origin are programs of Node on one core, and the limit of echoes/s: read CPU, not the rate.',
      ...remarksOn(rounds),
      ...notes,
    ],
    data: { rounds: roundsByName(rounds) },
  };
}

export const websocket: Scenario = {
  name: 'websocket',
  summary: `${SOCKETS} WebSockets that play ping-pong`,
  protocol: 'websocket',
  run,
};
