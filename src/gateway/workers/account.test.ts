/** One account out of those of several processes. */
import { expect, test } from 'vitest';
import { outcomesOf } from './account.ts';

const route = { route: 'r', service: 's', upstream: null, closes: [] };

test('calls of gRPC that failed are failures of the gateway, as with one process', () => {
  const answered = (status: number, count: number) => [status, [count, 0, 1.5]] as const;
  const calls = {
    ...route,
    series: [answered(200, 8)],
    grpc: [
      [0, 3],
      [3, 1],
      [14, 4],
    ] as const,
  };
  const both = { ...route, series: [answered(503, 2)], grpc: [[14, 2]] as const };
  const plain = { ...route, series: [answered(200, 5), answered(502, 1)], grpc: [] };
  expect(outcomesOf({ routes: [calls] })).toEqual({ total: 8, failed: 4 });
  expect(outcomesOf({ routes: [both] })).toEqual({ total: 2, failed: 2 });
  expect(outcomesOf({ routes: [plain] })).toEqual({ total: 6, failed: 1 });
});
