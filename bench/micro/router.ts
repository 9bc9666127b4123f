/**
 * What choosing a route costs at 10, 1,000 and 10,000 routes, on as many distinct paths each time, so that the figure
 * tells of the router and not of the processor's caches being asked for more text: `npm run build`, then
 * `node --import jiti/register bench/micro/router.ts`.
 */
import type { RouteConfig } from '../../src/config/model.ts';
import { createRouter } from '../../src/router/router.ts';

const SIZES = [10, 1_000, 10_000];
const PATHS = 10_000;
const LOOKUPS = 2_000_000;
const ROUNDS = 7;

function routesOf(count: number): RouteConfig[] {
  return Array.from({ length: count }, (_, i) => {
    const match =
      i % 3 === 0
        ? { pathPrefix: `/svc${i}/api` }
        : i % 3 === 1
          ? { path: `/svc${i}/api/users/{id}` }
          : { path: `/svc${i}/api/users/7` };
    return { name: `r${i}`, match, service: 's' } as unknown as RouteConfig;
  });
}

function nanoseconds(count: number): number {
  const router = createRouter(routesOf(count));
  const queries = Array.from({ length: PATHS }, (_, i) => ({
    method: 'GET',
    host: 'example.com',
    path: `/svc${i % count}/api/users/${i % count === i ? 7 : i}`,
    query: '',
    header: () => undefined,
  }));
  let found = 0;
  const begun = process.hrtime.bigint();
  for (let i = 0; i < LOOKUPS; i++) if (router.match(queries[(i * 7919) % PATHS]) >= 0) found++;
  const spent = Number(process.hrtime.bigint() - begun);
  if (found === 0) throw new Error('nothing matched');
  return spent / LOOKUPS;
}

const times = new Map<number, number[]>(SIZES.map((size) => [size, []]));
for (let round = 0; round < ROUNDS; round++) for (const size of SIZES) times.get(size)?.push(nanoseconds(size));
const median = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1];
const base = median(times.get(SIZES[0]) ?? []);
for (const size of SIZES) {
  const own = median(times.get(size) ?? []);
  console.log(`${size} routes: ${own.toFixed(0)} ns a match, ${(own / base).toFixed(2)} times that of ${SIZES[0]}`);
}
