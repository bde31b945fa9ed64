import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { discovery } from '../../src/attach/render.ts';
import { TinyDns } from './dns.ts';
import { Rig } from './rig.ts';
import { sum, Traffic } from './traffic.ts';
import { Findings, sleep, until, type Drill } from './types.ts';

const usage = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 };
const whole = (model: string): string =>
  JSON.stringify({
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: 'An answer.' }, finish_reason: 'stop' }],
    usage,
  });

/** A provider at one address that can be taken away and brought back. */
class Provider {
  served = 0;
  readonly #address: string;
  readonly #model: string;
  #port = 0;
  #server: Server | null = null;

  constructor(address: string, model: string) {
    this.#address = address;
    this.#model = model;
  }

  async up(port = this.#port): Promise<number> {
    const server = createServer((request, response) => {
      request.resume();
      request.once('end', () => {
        this.served++;
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(whole(this.#model));
      });
    });
    server.keepAliveTimeout = 3_600_000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, this.#address, resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    return this.#port;
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

interface Bootstrap {
  readonly static_resources: { readonly clusters: { type: string; dns_refresh_rate?: string; typed_dns_resolver_config?: object }[] };
}

/** Envoy asks the drill's name server, often, and follows what it says as it does for public providers. */
function withDns(config: object, port: number): object {
  const copy = structuredClone(config) as Bootstrap;
  for (const cluster of copy.static_resources.clusters) {
    if (cluster.type !== 'STRICT_DNS') continue;
    cluster.type = discovery({ protocol: 'https:' });
    cluster.dns_refresh_rate = '1s';
    cluster.typed_dns_resolver_config = {
      name: 'envoy.network.dns_resolver.cares',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig',
        resolvers: [{ socket_address: { protocol: 'UDP', address: '127.0.0.1', port_value: port } }],
      },
    };
  }
  return copy;
}

/** A provider goes down, comes back, and moves to another address together with its name; a second one is always up. */
export const flaps: Drill = {
  name: 'flaps',
  async run({ scale, say }) {
    const findings = new Findings();
    const dns = new TinyDns('127.0.0.2');
    const nameServer = await dns.listen();
    const [old, moved, second] = [
      new Provider('127.0.0.2', 'gpt-5-nano'),
      new Provider('127.0.0.3', 'gpt-5-nano'),
      new Provider('127.0.0.1', 'mistral-large-latest'),
    ];
    const port = await old.up();
    const endpoints = { first: `http://first.provider.test:${port}`, second: `http://127.0.0.1:${await second.up()}` };
    const rig = await Rig.start({ endpoints, envoyConfig: (config) => withDns(config, nameServer), defaults: { cache: { mode: 'off' } } });
    const traffic = new Traffic({ url: rig.stack.url, rate: 80, streamEvery: 0 }).start();
    const length = Math.max(1_500, 5_000 * scale);
    try {
      const part = async (what: string): Promise<void> => {
        const [from, ...counts] = [performance.now(), old.served, moved.served, second.served];
        await sleep(length);
        const { failed, p99, requests } = sum(traffic.between(from));
        const line = `${requests - failed} of ${requests} answered, p99 ${p99.toFixed(0)} ms; old address ${old.served - counts[0]}, new ${moved.served - counts[1]}, second provider ${second.served - counts[2]}`;
        findings.fact(what, line);
        say(`${what}: ${line}`);
      };
      /** Waits until the first provider gets requests again: after failures it cools down for a while. */
      const returns = async (to: Provider): Promise<number | null> => {
        const { served } = to;
        return until(() => to.served > served + 5, 40_000);
      };
      const isBack = (ms: number | null): string => (ms === null ? 'never' : `after ${(ms / 1_000).toFixed(1)} s`);
      await part('all is well');
      await old.down();
      await part('refused connections');
      await old.up();
      const returned = await returns(old);
      for (let flap = 0; flap < Math.ceil(8 * scale); flap++) {
        await old.down();
        await sleep(400);
        await old.up();
        await sleep(400);
      }
      await part('after up and down, 0.4 s each');
      const steady = await returns(old);
      await moved.up(port);
      dns.answer = '127.0.0.3';
      await old.down();
      await part('moved to another address');
      const followed = await returns(moved);
      dns.answer = 'gone';
      await part('its name is gone');
      dns.answer = 'silent';
      await part('the name server is silent');
      const kept = await returns(moved);
      dns.answer = '127.0.0.3';
      await traffic.stop();
      const all = sum(traffic.seen);
      const held = await rig.ledger();
      const lost = traffic.seen.filter(({ id }) => id !== null && !held.times.has(id)).length;
      findings.check(
        'failed requests',
        `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
        '0',
        all.failed === 0,
      );
      findings.timing('undecided requests', String(all.undecided), '0', all.undecided === 0);
      findings.check(
        'serves again when it is up again, and when it has stopped flapping',
        `${isBack(returned)}, ${isBack(steady)}`,
        'yes',
        returned !== null && steady !== null,
      );
      findings.check('is found at its new address', isBack(followed), 'yes', followed !== null);
      findings.check('serves on while its name cannot be looked up', kept === null ? 'no' : 'yes', 'yes', kept !== null);
      findings.check('decided requests without a record', lost, '0', lost === 0);
      return findings.result(
        this.name,
        'at 80/s with a second provider to fall back to: the first refuses connections, flaps, moves to another address; its name is gone; the name server is silent',
      );
    } finally {
      await traffic.stop();
      await rig.stop();
      await Promise.all([old.down(), moved.down(), second.down()]);
      dns.close();
    }
  },
};
