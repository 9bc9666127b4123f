/** Redis servers of a test: one, or three that are a cluster. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, freePort, Scratch, start, untilSaid } from './services.ts';
import { PATIENCE } from './waiting.ts';

const READY = /Ready to accept connections/;

export class RedisServer {
  readonly port: number;
  private readonly options: readonly string[];
  private readonly scratch = new Scratch();
  private child: ChildProcess | null = null;

  constructor(port: number, options: readonly string[]) {
    this.port = port;
    this.options = options;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Begins, empty; also again after it was ended. */
  async start(): Promise<void> {
    const { port, options, scratch } = this;
    const plain = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    this.child = start('redis-server', [...plain, ...options], scratch.path);
    await untilSaid(this.child, READY);
  }

  /** As `redis-cli`: what it prints, trimmed. */
  ask(...args: readonly string[]): string {
    const { stdout, stderr, status } = spawnSync('redis-cli', ['-p', String(this.port), ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`redis-cli ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Neither answers nor closes anything until `resume`. */
  freeze(): void {
    this.child?.kill('SIGSTOP');
  }

  resume(): void {
    this.child?.kill('SIGCONT');
  }

  /** It is gone, and its port refuses connections. */
  async kill(): Promise<void> {
    if (this.child !== null) await end(this.child, 'SIGKILL');
  }

  async close(): Promise<void> {
    await this.kill();
    this.scratch.remove();
  }
}

/** A server on a free port. */
export async function startRedis(options: readonly string[] = []): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), options);
  await server.start();
  return server;
}

/** Three masters without replicas. */
export async function startRedisCluster(...options: string[]): Promise<readonly RedisServer[]> {
  const servers: RedisServer[] = [];
  for (let count = 0; count < 3; count++) {
    // Nodes talk to each other on a port 10,000 further up.
    const port = await freePort((free) => free < 55_000 && servers.every((other) => other.port !== free));
    const server = new RedisServer(port, [
      ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'],
      ...options,
    ]);
    servers.push(server);
    await server.start();
  }
  const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
  servers[0].ask('--cluster', 'create', ...addresses, '--cluster-yes');
  // There is no telling when a node has heard from the others but to ask it.
  const deadline = Date.now() + PATIENCE;
  while (!servers.every((server) => server.ask('CLUSTER', 'INFO').includes('cluster_state:ok'))) {
    if (Date.now() > deadline) throw new Error('the cluster does not come up');
    await sleep(50);
  }
  return servers;
}
