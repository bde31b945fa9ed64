import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findTool, missing } from '../../../test/kubernetes/support/tools.ts';
import { limits } from '../../lib/limits.ts';
import { FramesTransport } from '../frames-transport.ts';
import { Http2Connection } from './connection.ts';
import { encodeHeaders } from './hpack.ts';
import { MemoryInFlight } from './memory.ts';

/** Cases of h2spec that expect more of a server than a gRPC server does, and why. */
const notOfGrpc: Readonly<Record<string, string>> = {
  'generic/2: Sends a WINDOW_UPDATE frame on half-closed (remote) stream': 'a call without a message gets trailers, and no DATA',
  'generic/2: Sends a PRIORITY frame on half-closed (remote) stream': 'the same',
  'http2/5.1.2: Sends HEADERS frames that causes their advertised concurrent stream limit to be exceeded':
    'a call without a message is answered at once, so that no streams are open together',
  'http2/8.1.2.6: Sends a HEADERS frame with the "content-length" header field which does not equal the sum of the multiple DATA frames payload length':
    'the first DATA is no gRPC message, which ends the call before the last one',
};
/** Skipped by h2spec itself, since they need an answer with DATA. */
const withoutData = 4;

interface Case {
  readonly name: string;
  readonly how: 'passed' | 'skipped' | 'failed';
}

/** Runs h2spec's `sections`, or all, strict ones included, against a server on loopback. */
async function h2spec(port: number, path: string, ...sections: readonly string[]): Promise<Case[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-h2spec-'));
  const report = join(folder, 'report.xml');
  try {
    // Fails as a process when a case fails.
    await new Promise<void>((resolve) =>
      execFile(
        findTool('h2spec')!,
        ['-h', '127.0.0.1', '-p', String(port), '-o', '1', '-S', '-P', path, '-j', report, ...sections],
        { maxBuffer: 1 << 26 },
        () => resolve(),
      ),
    );
    return [...readFileSync(report, 'utf8').matchAll(/<testcase package="([^"]*)" classname="([^"]*)"[^>]*>(.*?)<\/testcase>/gs)].map(
      ([, where, what, inside]) => ({
        name: `${where!}: ${what!.replaceAll('&#34;', '"')}`,
        how: inside!.includes('<skipped') ? 'skipped' : /<(error|failure)/.test(inside!) ? 'failed' : 'passed',
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const named = (cases: readonly Case[], how: Case['how']): string[] => cases.filter((each) => each.how === how).map(({ name }) => name);

describe(`HTTP/2 as h2spec sees it${missing('h2spec')}`, () => {
  const tools = it.skipIf(findTool('h2spec') === null);

  /** Answers each request with some text, or never. */
  async function plainServer(answers: boolean, streams: number): Promise<{ readonly server: Server; readonly port: number }> {
    const memory = new MemoryInFlight(limits.transportMemoryBytes);
    const server = createServer((socket) => {
      new Http2Connection(socket, {
        accept: (stream) => ({
          data: (bytes) => {
            stream.consumed(bytes.length);
            return true;
          },
          closed: (cancelled) => {
            if (cancelled || !answers) return;
            stream.respond(encodeHeaders([[':status', '200']]), false);
            stream.data(Buffer.alloc(200, 'x'));
            stream.trailers(encodeHeaders([['x-end', 'yes']]));
          },
        }),
        closed: () => undefined,
        memory,
        streams,
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { server, port: (server.address() as AddressInfo).port };
  }

  tools('passes all cases', async () => {
    const answering = await plainServer(true, 100);
    const silent = await plainServer(false, 10);
    try {
      const [all, concurrency] = await Promise.all([h2spec(answering.port, '/'), h2spec(silent.port, '/', 'http2/5.1.2')]);
      expect(named(all, 'failed').filter((name) => !name.startsWith('http2/5.1.2'))).toEqual([]);
      expect(named(concurrency, 'failed')).toEqual([]);
      expect(concurrency.length).toBeGreaterThan(0);
      expect(named(all, 'skipped')).toEqual([]);
      expect(all.length).toBe(146);
    } finally {
      answering.server.close();
      silent.server.close();
    }
  });

  tools('passes all cases as a gRPC server but those that concern none', async () => {
    const transport = new FramesTransport({ streams: 100 });
    const address = await transport.listen('127.0.0.1:0', {
      process: () => ({ message: () => undefined, closed: () => undefined }),
      logged: () => undefined,
      awaitsLog: () => false,
      told: () => undefined,
    });
    try {
      const cases = await h2spec(Number(address.split(':')[1]), '/envoy.service.ext_proc.v3.ExternalProcessor/Process');
      expect(named(cases, 'failed').filter((name) => notOfGrpc[name] === undefined)).toEqual([]);
      expect(named(cases, 'skipped').length).toBeLessThanOrEqual(withoutData);
      expect(cases.length).toBe(146);
    } finally {
      await transport.drain(0);
    }
  });
});
