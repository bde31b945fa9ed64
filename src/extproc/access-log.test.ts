import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../test/support/fuzz.ts';
import { encodeAccessLog, struct, type Message } from '../../test/support/ext-proc.ts';
import { decodeAccessLog } from './access-log.ts';
import { WireError } from './wire.ts';

const whole: Message = {
  common_properties: {
    start_time: { seconds: 1_760_000_000, nanos: 500_000_000 },
    time_to_first_upstream_rx_byte: { nanos: 20_500_000 },
    duration: { seconds: 1, nanos: 250_000_000 },
    response_flags: { upstream_connection_termination: true, downstream_connection_termination: true },
    metadata: {
      filter_metadata: {
        sluice: struct({ id: 'a', answer: 'log' }),
        'sluice.answer': {
          fields: {
            head: { stringValue: 'Grüße' },
            times: { stringValue: '7:1760000000600' },
            tail: { stringValue: 'end' },
            gap: { boolValue: true },
            whole: { boolValue: true },
          },
        },
      },
      typed_filter_metadata: {
        'envoy.ai.token_usage': {
          type_url: 'type.googleapis.com/envoy.data.ai.v3.TokenUsage',
          value: {
            model: 'model1',
            input_tokens: { value: 300 },
            output_tokens: { value: 20 },
            input_token_details: { cached_tokens: { value: 128 }, cache_creation_tokens: { value: 7 } },
            output_token_details: { reasoning_tokens: { value: 5 } },
            extraction_status: 1,
          },
        },
      },
    },
  },
  response: {
    response_code: { value: 200 },
    response_body_bytes: 1234,
    response_headers: { 'content-type': 'text/event-stream', 'content-encoding': 'identity' },
  },
};

describe("an entry of Envoy's access log", () => {
  it('is read as the reference encoding writes it', () => {
    expect(decodeAccessLog(encodeAccessLog([whole]))).toEqual([
      {
        id: 'a',
        bodyBytes: 1234,
        status: 200,
        cutBy: 'client',
        contentType: 'text/event-stream',
        contentEncoding: 'identity',
        startedAt: 1_760_000_000_500,
        firstByteMs: 20.5,
        totalMs: 1_250,
        collected: {
          body: null,
          large: false,
          head: Buffer.from('Grüße'),
          times: '7:1760000000600',
          tail: Buffer.from('end'),
          gap: true,
          whole: true,
        },
        usage: { model: 'model1', input: 300, output: 20, cachedRead: 128, cacheWrite: 7, reasoning: 5, complete: true },
      },
    ]);
  });

  it('knows a whole body, and one in base64', () => {
    const entry = (fields: Message): Message => ({
      common_properties: { metadata: { filter_metadata: { sluice: struct({ id: 'a' }), 'sluice.answer': { fields } } } },
    });
    const [plain, encoded, large] = decodeAccessLog(
      encodeAccessLog([
        entry({ body: { stringValue: '{}' } }),
        entry({ encoded: { stringValue: 'H4sI' } }),
        entry({ large: { boolValue: true } }),
      ]),
    );
    expect(plain?.collected).toMatchObject({ body: Buffer.from('{}'), whole: true });
    expect(encoded?.collected).toMatchObject({ body: Buffer.from([0x1f, 0x8b, 8]), whole: true });
    expect(large?.collected).toMatchObject({ body: null, large: true, whole: true });
  });

  it('refuses or reads any bytes, and throws nothing but its own error', () => {
    const bytes = encodeAccessLog([whole]);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, value, length) => {
        const changed = Buffer.from(bytes).subarray(0, Math.max(1, length));
        if (at < changed.length) changed[at] = value;
        try {
          expect(decodeAccessLog(changed)).toBeInstanceOf(Array);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      runs(2_000),
    );
  });
});
