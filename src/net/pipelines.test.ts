/** How long lines may be, as the answers of an endpoint come. */
import { expect, test } from 'vitest';
import type { PipelinedConnection } from './pipelined-connection.ts';
import { Pipelines } from './pipelines.ts';

const QUICK = 10;
const SLOW = 11;

/** A connection with so many in flight, that takes as many as lines may be long. */
function connection(pipelines: Pipelines, inFlight: number): PipelinedConnection {
  const made = {
    listed: false,
    inFlight,
    get hasRoom() {
      return inFlight < pipelines.depth;
    },
    isSilent: () => false,
  };
  return made as unknown as PipelinedConnection;
}

test.each<[string, number, number[], number]>([
  ['begin in the middle', 16, [], 4],
  ['begin as long as they may be, where that is less', 3, [], 3],
  ['grow with quick answers', 16, [QUICK, QUICK], 16],
  ['grow no longer than they may be', 9, [0, 0, 0], 9],
  ['are halved by a slow answer', 16, [QUICK, QUICK, SLOW], 8],
  ['are lines no more when answers stay slow', 16, [SLOW, SLOW], 1],
  ['stay so when answers are quick that were asked for before', 16, [SLOW, SLOW, QUICK, QUICK], 1],
])('lines %s', (_, most, took, depth) => {
  const pipelines = new Pipelines(most);
  for (const one of took) pipelines.onTurnTaken(one, 5000);
  expect(pipelines.depth).toBe(depth);
});

test('after a rest one request is tried in a second, until one of them was quick', () => {
  const pipelines = new Pipelines(16);
  pipelines.rest(5000);
  const busy = connection(pipelines, 1);
  const picks = (now: number): boolean => {
    pipelines.add(busy);
    return pipelines.pick(now) === busy;
  };
  const tried = [5000, 5999, 6000, 6001, 6999, 7000].map(picks);
  expect(tried).toEqual([false, false, true, false, false, true]);
  pipelines.onTurnTaken(QUICK, 7001);
  expect([7001, 7002].map(picks)).toEqual([true, true]);
});

test('a service that may not share makes no trials', () => {
  const pipelines = new Pipelines(1);
  pipelines.add(connection(pipelines, 1));
  expect(pipelines.pick(5000)).toBe(null);
});

test('another length that is allowed begins anew', () => {
  const pipelines = new Pipelines(1);
  pipelines.allow(16);
  expect(pipelines.depth).toBe(4);
  pipelines.rest(5000);
  pipelines.allow(16);
  expect(pipelines.depth).toBe(1);
  pipelines.allow(1);
  expect(pipelines.depth).toBe(1);
});
