import { describe, expect, it } from 'vitest';
import { ConnectionError, errorCode } from '../extproc/h2/frames.ts';
import { limits } from '../lib/limits.ts';
import { createLogger } from '../record/log-sink.ts';
import { Metrics } from '../record/metrics.ts';
import { protocolEvents } from './protocol-events.ts';

function bench() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  const metrics = new Metrics({ version: '', policy: () => null as never, refused: () => false });
  const count = async (name: string, labels: string): Promise<number> => {
    const text = await metrics.registry.getSingleMetricAsString(name);
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name}{${labels}}`))
        ?.split(' ')[1] ?? 0,
    );
  };
  return { lines, count, told: protocolEvents(metrics, logger) };
}

describe('what goes wrong between Envoy and Sluice', () => {
  it('is logged with its stack and counted as a request that passed, when Sluice fails inside a stream', async () => {
    const { lines, count, told } = bench();
    told('gateway-error', new Error('a bug'));
    expect(lines).toMatchObject([{ level: 'error', event: 'gateway-error', err: { message: 'a bug' } }]);
    expect((lines[0]!['err'] as { readonly stack: string }).stack).toContain('protocol-events.test.ts');
    expect(await count('llm_proxy_protocol_events_total', 'kind="gateway-error"')).toBe(1);
    // The alert SluiceFailOpen looks at this one.
    expect(await count('llm_proxy_fail_open_total', 'reason="session-error"')).toBe(1);
  });

  it('fills no disk: of an error that comes for every request some lines are written, and all are counted', async () => {
    const { lines, count, told } = bench();
    for (let i = 0; i < 1_000; i++) told('gateway-error', new Error('a bug'));
    expect(lines.length).toBe(limits.logRepeats);
    expect(await count('llm_proxy_fail_open_total', 'reason="session-error"')).toBe(1_000);
  });

  it('leaves a warning with the reason for which a connection was cut, and a count', async () => {
    const { lines, count, told } = bench();
    told('connection-cut', new ConnectionError(errorCode.calm, 'too many frames that only cost'));
    told('connection-lost', new Error('read ECONNRESET'));
    told('decode-error', new Error('truncated varint'));
    expect(lines).toMatchObject([
      { level: 'warn', event: 'connection-cut', reason: 'too many frames that only cost' },
      { level: 'warn', event: 'connection-lost', reason: 'read ECONNRESET' },
      { level: 'warn', event: 'decode-error', reason: 'truncated varint' },
    ]);
    expect(lines.map((line) => 'err' in line)).toEqual([true, false, true]);
    for (const kind of ['connection-cut', 'connection-lost', 'decode-error'])
      expect(await count('llm_proxy_protocol_events_total', `kind="${kind}"`)).toBe(1);
    expect(await count('llm_proxy_fail_open_total', 'reason="session-error"')).toBe(0);
  });

  it('is only counted where there is no error behind it', async () => {
    const { lines, count, told } = bench();
    told('unexpected-phase');
    told('request-aborted');
    expect(lines).toEqual([]);
    expect(await count('llm_proxy_protocol_events_total', 'kind="request-aborted"')).toBe(1);
  });
});
