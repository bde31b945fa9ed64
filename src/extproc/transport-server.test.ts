import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { runs } from '../../test/support/fuzz.ts';
import { frameOf, preface, settingsFrame } from './h2/frames.ts';
import { encodeAccessLog, ScriptedEnvoy, struct } from '../../test/support/ext-proc.ts';
import { GrpcTransport } from './grpc-transport.ts';
import { RequestStream } from './request-stream.ts';
import type { Services } from './types.ts';
import { connectTo, encodedPhase, logCall, logOf, phases, servedBy, transports } from '../../test/support/served.ts';

describe.each(transports)('over $title', (over) => {
  const { Kind, tcp } = over;
  const served = servedBy(over);
  const quiet: Services = {
    process: (stream) => new RequestStream(stream, served.gateway, () => undefined),
    logged: () => undefined,
    awaitsLog: () => false,
    told: () => undefined,
  };

  it('tells why it cut a connection that is not HTTP/2', async () => {
    const socket = connectTo(served.address);
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3));
    await expect.poll(() => served.events, { timeout: 10_000 }).toContain('connection-cut');
    socket.destroy();
    expect(served.errors[0]).toBeInstanceOf(Error);
    expect((served.errors[0] as Error).message).not.toBe('');
  });

  it.runIf(tcp === (Kind === GrpcTransport))('tells when the last connection of an Envoy has been closed for a while', async () => {
    const ask = async (one: ScriptedEnvoy): Promise<void> => {
      const stream = one.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      stream.cancel();
    };
    await ask(served.envoy);
    const [peer] = served.peers;
    served.envoy.close();
    // It has come back before it counts as gone.
    const again = new ScriptedEnvoy(served.address);
    await ask(again);
    again.close();
    await expect.poll(() => served.peers).toEqual([peer, peer, `${peer!} gone`]);
  });

  describe('the server', () => {
    it('ends a stream that sends garbage, counts it, and serves the next', async () => {
      const bad = served.envoy.open();
      bad.sendBytes(Buffer.from([0xff, 0xff, 0xff]));
      expect(await bad.over()).toBe(3);
      expect(served.events).toEqual(['decode-error']);
      const good = served.envoy.open();
      good.send(phases['requestHeaders']!);
      await good.until(1);
      good.cancel();
    });

    it('takes a body of 32 MiB', async () => {
      const stream = served.envoy.open();
      stream.send(phases['requestHeaders']!);
      await stream.until(1);
      stream.send({ request_body: { body: Buffer.alloc(32 * 1024 * 1024, 0x61), end_of_stream: true } });
      await stream.until(2);
      expect(served.gateway.notes).toContain(`body ${32 * 1024 * 1024}`);
    });

    it('answers the standard health check, and says NOT_SERVING while it drains', async () => {
      const client = new Client(served.address, credentials.createInsecure());
      const check = () =>
        new Promise<number>((resolve, reject) => {
          client.makeUnaryRequest(
            '/grpc.health.v1.Health/Check',
            (bytes: Buffer) => bytes,
            (bytes: Buffer) => bytes,
            Buffer.alloc(0),
            new Metadata(),
            (error, reply) => {
              if (error !== null) reject(new Error(error.details));
              else resolve(reply?.[1] ?? 0);
            },
          );
        });
      expect(await check()).toBe(1);
      const open = served.envoy.open();
      open.send(phases['requestHeaders']!);
      await open.until(1);
      const drained = served.transport.drain(1_000);
      // A draining server takes no new calls; the open stream ends in its own time.
      open.send(phases['requestBody']!);
      expect(await open.over()).toBe(0);
      client.close();
      await drained;
    });

    it('takes the place of a socket file that a killed process left behind', async () => {
      const path = join(served.folder, 'stale.sock');
      writeFileSync(path, '');
      const second = new Kind();
      await expect(second.listen(`unix:${path}`, quiet)).resolves.toBe(`unix:${path}`);
      await second.drain(0);
    });

    it('refuses an address on which somebody listens', async () => {
      const second = new Kind();
      await expect(second.listen(served.address, quiet)).rejects.toThrow(/another process|EADDRINUSE/);
    });

    it('tells which exchanges are over, from Envoy’s access log', async () => {
      const client = new Client(served.address, credentials.createInsecure());
      const call = logCall(client, () => undefined);
      call.write(
        encodeAccessLog([
          { common_properties: { metadata: { filter_metadata: { other: struct({ id: 'no' }), sluice: struct({ id: 'a' }) } } } },
          {},
        ]),
      );
      call.write(logOf('b'));
      await expect.poll(() => served.gateway.notes).toEqual(['logged a', 'logged b']);
      call.write(Buffer.from([0xff]));
      await expect.poll(() => served.events).toEqual(['decode-error']);
      client.close();
    });

    it('drains without waiting for Envoy’s access log, which has no end', async () => {
      const client = new Client(served.address, credentials.createInsecure());
      const ended = new Promise<unknown>((resolve) => {
        const call = logCall(client, resolve);
        call.write(logOf('a'));
      });
      await expect.poll(() => served.gateway.notes).toEqual(['logged a']);
      // What waits in vain is cut after the grace: here the test's own time would be over.
      await served.transport.drain(600_000);
      await ended;
      client.close();
    });

    it('drains once it has heard of all that it awaits', async () => {
      served.awaited = 2;
      const client = new Client(served.address, credentials.createInsecure());
      const call = logCall(client, () => undefined);
      const tell = (id: string): boolean => call.write(logOf(id));
      tell('a');
      await expect.poll(() => served.gateway.notes).toEqual(['logged a']);
      let over = false;
      const drained = served.transport.drain(600_000).then(() => (over = true));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(over).toBe(false);
      tell('b');
      await drained;
      expect(served.gateway.notes).toEqual(['logged a', 'logged b']);
      client.close();
    });

    it('never throws and serves on, whatever bytes come in a call', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), encodedPhase), { maxLength: 6 }), async (messages) => {
          const stream = served.envoy.open();
          for (const bytes of messages) stream.sendBytes(Buffer.from(bytes));
          stream.halfClose();
          expect([0, 3]).toContain(await stream.over());
        }),
        runs(60),
      );
      const good = served.envoy.open();
      good.send(phases['requestHeaders']!);
      await good.until(1);
      good.cancel();
      expect(served.events.filter((event) => event === 'gateway-error')).toEqual([]);
    });

    it('never throws and serves on, whatever bytes come on a connection', async () => {
      const piece = fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc
          .tuple(fc.nat(10), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 30 }))
          .map(([type, flags, id, payload]) => frameOf(type, flags, id, payload)),
      );
      await fc.assert(
        fc.asyncProperty(fc.boolean(), fc.array(piece, { maxLength: 8 }), async (greets, pieces) => {
          const socket = connectTo(served.address);
          const over = new Promise<void>((resolve) => socket.once('close', () => resolve()));
          socket.on('error', () => undefined);
          socket.resume();
          socket.end(Buffer.concat([...(greets ? [preface, settingsFrame([])] : []), ...pieces]));
          await over;
        }),
        runs(40),
      );
      const good = served.envoy.open();
      good.send(phases['requestHeaders']!);
      await good.until(1);
      good.cancel();
    });
  });
});
