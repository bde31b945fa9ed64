import { connect, type Socket } from 'node:net';
import { Rig } from './rig.ts';
import { chat, sum, Traffic } from './traffic.ts';
import { Findings, sleep, type Drill } from './types.ts';

/** Time over which the clients connect, ms: thousands of connections at once would be a different drill. */
const arrivalMs = 4_000;

/** Clients that send byte by byte, and clients that hardly read. */
export const loris: Drill = {
  name: 'loris',
  async run({ scale, say }) {
    const clients = Math.max(50, Math.round(1_000 * scale));
    const seconds = Math.max(3, Math.round(20 * scale));
    const findings = new Findings();
    const rig = await Rig.start({ provider: './endurance/large-answers.ts' });
    const port = Number(new URL(rig.stack.url).port);
    const traffic = new Traffic({ url: rig.stack.url, rate: 100, streamEvery: 0 }).start();
    const sockets: Socket[] = [];
    const timers: NodeJS.Timeout[] = [];
    const open = (stream: boolean): { readonly socket: Socket; readonly head: string; readonly body: string } => {
      const body = chat(1_000, stream, false);
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      sockets.push(socket);
      return {
        socket,
        body,
        head: `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${stream ? 'x-slow-reader: 1\r\n' : ''}\r\n`,
      };
    };
    try {
      await sleep(2_000);
      const quiet = performance.now();
      await sleep(seconds * 500);
      const calmEnd = performance.now();
      const before = { sluice: rig.sluice(), envoy: rig.envoy() };
      let got = 0;
      for (let client = 0; client < clients; client++) {
        await sleep(arrivalMs / clients);
        const sender = open(false);
        sender.socket.write(sender.head);
        let at = 0;
        timers.push(setInterval(() => at < sender.body.length - 1 && sender.socket.write(sender.body[at++]!), 200));
        const reader = open(true);
        reader.socket.write(reader.head + reader.body);
        reader.socket.pause();
        // A kilobyte at a time.
        reader.socket.on('readable', () => undefined);
        timers.push(setInterval(() => (got += (reader.socket.read(1_024) as Buffer | null)?.length ?? 0), 500));
      }
      const begun = performance.now();
      await sleep(seconds * 1_000);
      const during = { sluice: rig.sluice(), envoy: rig.envoy() };
      const waiting = await rig.metric('llm_proxy_pending_exchanges');
      const ended = performance.now();
      for (const timer of timers) clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      await sleep(3_000);
      const after = { sluice: rig.sluice(), envoy: rig.envoy() };
      await traffic.stop();
      const all = sum(traffic.seen);
      const [calm, busy] = [sum(traffic.between(quiet, calmEnd)), sum(traffic.between(begun, ended))];
      say(`${clients} + ${clients} slow clients, ${(got / 1_024).toFixed(0)} KB read by them`);
      const grown = during.sluice.mb - before.sluice.mb;
      findings.fact(
        'memory of Sluice before, during, after, MB',
        [before, during, after].map(({ sluice }) => sluice.mb.toFixed(0)).join(', '),
      );
      findings.fact(
        'memory of Envoy before, during, after, MB',
        [before, during, after].map(({ envoy }) => envoy.mb.toFixed(0)).join(', '),
      );
      findings.fact('KB read by the slow readers', (got / 1_024).toFixed(0));
      findings.fact('exchanges whose answer had not begun', waiting);
      findings.check(
        'failed requests of others',
        `${all.failed} of ${all.requests}${all.problems === '' ? '' : ` (${all.problems})`}`,
        '0',
        all.failed === 0,
      );
      findings.timing('undecided requests of others', String(all.undecided), '0', all.undecided === 0);
      findings.timing(
        'Sluice’s memory a slow client, KB',
        ((grown * 1_024) / (2 * clients)).toFixed(1),
        'at most 64',
        (grown * 1_024) / (2 * clients) <= 64,
      );
      findings.timing(
        'p99 of others before and during, ms',
        `${calm.p99.toFixed(1)}, ${busy.p99.toFixed(1)}`,
        'at most 2 × and 20 ms',
        busy.p99 <= 2 * calm.p99 + 20,
      );
      findings.check(
        'Sluice’s descriptors before, during, after',
        [before, during, after].map(({ sluice }) => sluice.fds).join(', '),
        'at most 5 more',
        during.sluice.fds <= before.sluice.fds + 5,
      );
      return findings.result(
        this.name,
        `${clients} clients that send a byte each 0.2 s and ${clients} that read 1 KB each 0.5 s of answers of 256 KB, for ${seconds} s beside 100/s of others`,
      );
    } finally {
      for (const timer of timers) clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      await traffic.stop();
      await rig.stop();
    }
  },
};
