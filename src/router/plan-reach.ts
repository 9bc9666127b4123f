/** What two configurations do with the same requests: who takes them, and which routes can no longer be reached. */

import type { GatewayConfig } from '../config/model.ts';
import { type Change, createChange, inOrder } from '../config/plan/change.ts';
import { authenticationOf } from '../config/plan/exposure.ts';
import { pairRoutes } from '../config/plan/pairing.ts';
import { planOf } from '../config/plan/plan.ts';
import { lintRoutes } from './lint.ts';
import { planOrder } from './plan-order.ts';
import { witnessesOf } from './plan-witness.ts';
import type { RouteFault } from './route-fault.ts';
import { createRouter } from './router.ts';

/** Everything that differs: the configurations themselves, and what becomes of requests. The gravest first. */
export function planGateway(before: GatewayConfig, after: GatewayConfig): Change[] {
  return inOrder([...planOf(before, after), ...planReach(before, after)]);
}

/**
 * The changes of what requests reach. Each is about requests that both routers were asked about; requests that nobody can
 * make up from the routes, such as those of a pattern, are not spoken of.
 */
export function planReach(before: GatewayConfig, after: GatewayConfig): Change[] {
  const { pairs, added } = pairRoutes(before, after);
  const newNames = new Map(pairs.map(([one, other]) => [one.name, other.name]));
  return [
    ...planMoves(before, after, newNames),
    ...planShadows(before, after, newNames, new Set(added.map(({ name }) => name))),
    ...planOrder(pairs, before.routes, after.routes),
  ];
}

/** Requests that go from one route to another, or from or to none. */
interface Move {
  readonly from: string | null;
  readonly to: string | null;
  readonly examples: string[];
  /** Requests that are no examples any more. */
  others: number;
}

const mostExamples = 3;

function planMoves(before: GatewayConfig, after: GatewayConfig, newNames: ReadonlyMap<string, string>): Change[] {
  const routerBefore = createRouter(before.routes);
  const routerAfter = createRouter(after.routes);
  const moves = new Map<string, Move>();
  const seen = new Set<string>();
  for (const witness of [...witnessesOf(before.routes), ...witnessesOf(after.routes)]) {
    // Methods of one fate make one example.
    const fates = new Map<string, { from: string | null; to: string | null; methods: string[] }>();
    for (const method of witness.methods) {
      const query = witness.queryWith(method);
      const from = before.routes[routerBefore.match(query)]?.name ?? null;
      const to = after.routes[routerAfter.match(query)]?.name ?? null;
      if (from === null ? to === null : newNames.get(from) === to) continue;
      const key = JSON.stringify([from, to]);
      const fate = fates.get(key);
      if (fate === undefined) fates.set(key, { from, to, methods: [method] });
      else fate.methods.push(method);
    }
    for (const [key, { from, to, methods }] of fates) {
      const example = `${textOf(methods)} ${witness.text}`;
      if (seen.has(`${key} ${example}`)) continue;
      seen.add(`${key} ${example}`);
      const move = moves.get(key) ?? { from, to, examples: [], others: 0 };
      moves.set(key, move);
      if (move.examples.length < mostExamples) move.examples.push(example);
      else move.others += 1;
    }
  }
  const authenticationBefore = authenticationOf(before);
  const authenticationAfter = authenticationOf(after);
  // These refuse everything.
  const refusing = new Set(after.routes.filter(({ quarantined }) => quarantined !== undefined).map(({ name }) => name));
  return [...moves.values()].map((move) => {
    const had = move.from === null ? [] : (authenticationBefore.get(move.from) ?? []);
    const has = move.to === null ? [] : (authenticationAfter.get(move.to) ?? []);
    const serves = move.to !== null && !refusing.has(move.to);
    return changeOf(move, serves && had.length > 0 && has.length === 0);
  });
}

function textOf(methods: readonly string[]): string {
  return [...methods.slice(0, mostExamples), ...(methods.length > mostExamples ? ['...'] : [])].join('|');
}

function changeOf({ from, to, examples, others }: Move, unprotected: boolean): Change {
  const such = `requests such as ${examples.join('; ')}${others === 0 ? '' : ` (and ${others} more)`}`;
  const values = {
    ...(from === null ? {} : { before: from }),
    ...(to === null ? {} : { after: to }),
    examples,
  };
  if (to === null) {
    const message = `${such} are taken by no route any more`;
    return createChange('requests_unreachable', ['routes', String(from)], { message, ...values });
  }
  const path = ['routes', to];
  if (from === null) {
    const message = `${such} were taken by no route and are now`;
    return createChange('requests_reachable', path, { message, ...values });
  }
  if (unprotected) {
    const message = `${such} go to another route, and that one has no authentication`;
    return createChange('requests_unprotected', path, { message, ...values });
  }
  return createChange('requests_moved', path, { message: `${such} go to another route`, ...values });
}

function planShadows(
  before: GatewayConfig,
  after: GatewayConfig,
  newNames: ReadonlyMap<string, string>,
  added: ReadonlySet<string>,
): Change[] {
  const shadowedBefore = new Map<string, RouteFault>();
  for (const fault of unreachable(before)) {
    const name = newNames.get(fault.route);
    if (name !== undefined) shadowedBefore.set(name, fault);
  }
  const shadowedAfter = new Map(unreachable(after).map((fault) => [fault.route, fault]));
  const changes: Change[] = [];
  for (const [route, fault] of shadowedAfter) {
    if (shadowedBefore.has(route)) continue;
    const message = `${added.has(route) ? 'the new ' : ''}route "${route}" can never be reached: "${fault.other}" goes before it and takes all its requests`;
    changes.push(createChange('route_shadowed', ['routes', route], { message, after: fault.other }));
  }
  for (const [route, fault] of shadowedBefore) {
    if (shadowedAfter.has(route)) continue;
    const message = `route "${route}" could never be reached, since "${fault.other}" took all its requests; nothing takes them all now`;
    changes.push(createChange('route_unshadowed', ['routes', route], { message, before: fault.other }));
  }
  return changes;
}

function unreachable({ routes }: GatewayConfig): RouteFault[] {
  return lintRoutes(routes).filter(({ code }) => code === 'unreachable_route');
}
