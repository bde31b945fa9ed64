import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { freePorts } from '../../src/demo/stack.ts';
import { plain, TestRedis, type RedisOptions } from './redis.ts';

const allSlots = 16_384;

/** A real cluster of masters, the slots shared out evenly. */
export class TestCluster {
  readonly nodes: readonly TestRedis[];
  /** A connection to each node. */
  readonly admins: readonly Redis[];

  private constructor(nodes: readonly TestRedis[]) {
    this.nodes = nodes;
    this.admins = nodes.map(({ url }) => new Redis(url));
  }

  static async start(count: number, server: NonNullable<RedisOptions['server']>): Promise<TestCluster> {
    const free = await freePorts(2 * count);
    const [ports, buses] = [free.slice(0, count), free.slice(count)];
    const node = (index: number, more: RedisOptions): Promise<TestRedis> =>
      TestRedis.start({
        server,
        port: ports[index]!,
        args: (port) => [
          ...plain(port),
          '--cluster-enabled',
          'yes',
          '--cluster-port',
          String(buses[index]),
          '--cluster-config-file',
          `nodes-${port}.conf`,
          '--cluster-require-full-coverage',
          'no',
          '--cluster-announce-ip',
          '127.0.0.1',
        ],
        ...more,
      });
    const first = await node(0, { opens: ports.slice(1) });
    const nodes = [first, ...(await Promise.all(ports.slice(1).map((_, index) => node(index + 1, { beside: first }))))];
    const cluster = new TestCluster(nodes);
    for (const [index, admin] of cluster.admins.entries()) {
      await admin.call(
        'CLUSTER',
        'ADDSLOTSRANGE',
        String(Math.ceil((index * allSlots) / count)),
        String(Math.ceil(((index + 1) * allSlots) / count) - 1),
      );
      if (index > 0) await admin.call('CLUSTER', 'MEET', '127.0.0.1', String(nodes[0]!.port), String(buses[0]!));
    }
    const ready = new RegExp(`cluster_state:ok[^]*cluster_slots_ok:${allSlots}[^]*cluster_known_nodes:${count}`);
    for (const admin of cluster.admins)
      await expect.poll(async () => String(await admin.call('CLUSTER', 'INFO')), { timeout: 15_000 }).toMatch(ready);
    return cluster;
  }

  /** Names two of the nodes. */
  get url(): string {
    return `redis-cluster://127.0.0.1:${this.nodes[0]!.port},127.0.0.1:${this.nodes[1]!.port}`;
  }

  /** The keys of this pattern that each node holds. */
  keys(pattern: string): Promise<string[][]> {
    return Promise.all(this.admins.map((admin) => admin.keys(pattern)));
  }

  /** Moves a slot with its keys from one node to another, as resharding does: `meanwhile` is called when the keys are on their way. */
  async move(slot: number, from: number, to: number, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const [source, target] = [this.admins[from]!, this.admins[to]!];
    const [sourceId, targetId] = [String(await source.call('CLUSTER', 'MYID')), String(await target.call('CLUSTER', 'MYID'))];
    await target.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', sourceId);
    await source.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', targetId);
    await meanwhile();
    for (;;) {
      const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '10')) as string[];
      if (keys.length === 0) break;
      await source.call('MIGRATE', '127.0.0.1', String(this.nodes[to]!.port), '', '0', '5000', 'KEYS', ...keys);
    }
    for (const admin of [target, source]) await admin.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', targetId);
  }

  /** Kills all nodes. */
  async stop(): Promise<void> {
    for (const admin of this.admins) admin.disconnect();
    // Those beside the first one before it.
    for (const node of [...this.nodes].reverse()) await node.remove();
  }
}
