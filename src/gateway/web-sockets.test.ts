/** WebSockets are counted, limited, and sent away one after another. */
import { describe, expect, test } from 'vitest';
import { OwnAllowance } from '../base/allowance.ts';
import { TimerWheel } from '../base/timer-wheel.ts';
import type { RouteConfig } from '../config/model.ts';
import type { WebSocketRelay } from '../net/websocket-relay.ts';
import { WebSockets } from './web-sockets.ts';

function route(name: string, maxConnections?: number): RouteConfig {
  const websocket = maxConnections === undefined ? undefined : { maxConnections, idleTimeout: 1, maxMessage: 1 };
  return { name, ...(websocket === undefined ? {} : { websocket }) } as RouteConfig;
}

function setUp(share: ConstructorParameters<typeof WebSockets>[2] = null) {
  const clock = { time: 5000, now: () => clock.time, wall: () => clock.time };
  return { clock, sockets: new WebSockets(new TimerWheel(clock), clock.now, share) };
}

/** Notes in how many milliseconds it is to go. */
function relay(leaves: number[]): WebSocketRelay {
  return { start() {}, destroy() {}, goAwayIn: (ms: number) => leaves.push(ms) } as unknown as WebSocketRelay;
}

describe('draining', () => {
  test('spreads sockets evenly over the time, and lets late ones go last', () => {
    const { clock, sockets } = setUp();
    const leaves: number[] = [];
    for (let i = 0; i < 4; i++) sockets.add(relay(leaves));
    sockets.drain(1000);
    expect(leaves).toEqual([250, 500, 750, 1000]);
    clock.time += 600;
    sockets.add(relay(leaves));
    expect(leaves.at(-1)).toBe(400);
    clock.time += 600;
    sockets.add(relay(leaves));
    expect(leaves.at(-1)).toBe(0);
  });

  test('happens once', () => {
    const { sockets } = setUp();
    const leaves: number[] = [];
    sockets.add(relay(leaves));
    sockets.drain(100);
    sockets.drain(900);
    expect(leaves).toEqual([100]);
  });
});

describe('places of a route', () => {
  const granted = (sockets: ReturnType<WebSockets['ofRoute']>): boolean | null => {
    let answer: boolean | null = null;
    sockets.reserve((yes) => {
      answer = yes;
    });
    return answer;
  };

  test('are as many as it has, and counted also where they are refused until given back', () => {
    const { sockets } = setUp();
    const chat = sockets.ofRoute('chat');
    sockets.commit([route('chat', 2)]);
    expect([granted(chat), granted(chat), granted(chat)]).toEqual([true, true, false]);
    chat.release();
    expect(granted(chat)).toBe(false);
    for (let i = 0; i < 3; i++) chat.release();
    expect([...sockets.samples()]).toEqual([{ route: 'chat', count: 0 }]);
    expect(granted(chat)).toBe(true);
  });

  test('are those of the route over all generations', () => {
    const { sockets } = setUp();
    sockets.ofRoute('chat');
    sockets.commit([route('chat', 1)]);
    expect(granted(sockets.ofRoute('chat'))).toBe(true);
    expect(granted(sockets.ofRoute('chat'))).toBe(false);
    sockets.commit([route('chat', 5)]);
    expect(granted(sockets.ofRoute('chat'))).toBe(true);
  });

  test('are forgotten with the route, unless some are taken', () => {
    const asked: string[] = [];
    const { sockets } = setUp((name) => {
      asked.push(name);
      return new OwnAllowance(10);
    });
    const busy = sockets.ofRoute('busy');
    sockets.ofRoute('idle');
    sockets.commit([route('busy', 1), route('idle', 1)]);
    expect(granted(busy)).toBe(true);
    sockets.commit([route('busy'), route('idle')]);
    expect([...sockets.samples()]).toEqual([{ route: 'busy', count: 1 }]);
    // What the process had of the shared limit was given back: it asks anew.
    expect(sockets.ofRoute('busy')).toBe(busy);
    sockets.commit([route('busy', 1)]);
    expect(asked).toEqual(['busy', 'idle', 'busy']);
  });
});
