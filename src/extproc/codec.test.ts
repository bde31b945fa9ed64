import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeResponse, encodeRequest, headerMap, struct } from '../../test/support/ext-proc.ts';
import { headerText } from './header-text.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeReply, encodeReplyPieces } from './encode-reply.ts';
import type { Reply } from './types.ts';
import { WireError } from './wire.ts';
import { runs } from '../../test/support/fuzz.ts';

const name = fc.stringMatching(/^[a-z:][a-z0-9-]{0,20}$/);
const value = fc.stringMatching(/^[\x20-\x7e]{0,60}$/);

describe('the codec against the reference', () => {
  it('reads headers of both directions as the reference wrote them', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 30 }),
        fc.boolean(),
        fc.boolean(),
        (pairs, end, response) => {
          const message = { headers: headerMap(Object.fromEntries(pairs)), end_of_stream: end };
          const { phase } = decodeRequest(encodeRequest(response ? { response_headers: message } : { request_headers: message }));
          if (phase.kind !== 'request-headers' && phase.kind !== 'response-headers') throw new Error(phase.kind);
          expect(phase.kind).toBe(response ? 'response-headers' : 'request-headers');
          expect(phase.endOfStream).toBe(end);
          for (const [key, text] of pairs) expect(phase.headers.get(key)).toBe(text);
          expect([...phase.headers.entries()].length).toBe(pairs.length);
        },
      ),
    );
  });

  it('reads header values from value as well as from raw_value', () => {
    const { phase } = decodeRequest(encodeRequest({ request_headers: { headers: { headers: [{ key: ':path', value: '/v1' }] } } }));
    expect(phase.kind === 'request-headers' && phase.headers.get(':path')).toBe('/v1');
  });

  it('reads bodies without copying them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), fc.boolean(), (bytes, end) => {
        const encoded = encodeRequest({ request_body: { body: Buffer.from(bytes), end_of_stream: end } });
        const { phase } = decodeRequest(encoded);
        if (phase.kind !== 'request-body') throw new Error(phase.kind);
        expect(Buffer.compare(phase.body, Buffer.from(bytes))).toBe(0);
        expect(phase.endOfStream).toBe(end);
        if (bytes.length > 0) expect(phase.body.buffer).toBe(encoded.buffer);
      }),
    );
  });

  it("reads Sluice's metadata and nobody else's, whatever else the message holds", () => {
    const message = decodeRequest(
      encodeRequest({
        response_body: { body: Buffer.from('x') },
        metadata_context: { filter_metadata: { other: struct({ id: 'theirs' }), sluice: struct({ id: 'ours', tier: 'simple' }) } },
        attributes: { a: struct({ b: 'c' }) },
        observability_mode: true,
      }),
    );
    expect({ ...message.metadata }).toEqual({ id: 'ours', tier: 'simple' });
    expect(message.observability).toBe(true);
  });

  it('writes replies that the reference reads', () => {
    const pairs = fc.array(fc.tuple(name, value), { maxLength: 8 });
    fc.assert(
      fc.property(
        pairs,
        fc.array(name, { maxLength: 4 }),
        fc.option(fc.uint8Array({ maxLength: 400 }), { nil: undefined }),
        fc.boolean(),
        fc.dictionary(name, value),
        (set, remove, body, clear, metadata) => {
          const reply: Reply = {
            kind: 'continue',
            phase: 'request-body',
            headers: { set, remove },
            ...(body === undefined ? {} : { body: Buffer.from(body) }),
            clearRouteCache: clear,
            metadata,
          };
          const decoded = decodeResponse(encodeReply(reply)) as {
            request_body: { response: Record<string, unknown> };
            dynamic_metadata: { fields: { sluice: { structValue: { fields?: Record<string, { stringValue?: string }> } } } };
          };
          const { response } = decoded.request_body;
          const mutation = response['header_mutation'] as {
            set_headers?: { header: { key: string; raw_value?: Buffer }; append_action: string }[];
            remove_headers?: string[];
          };
          // The reference leaves out what is empty.
          const written = (mutation.set_headers ?? []).map(({ header }) => [header.key, header.raw_value?.toString() ?? '']);
          expect(written).toEqual(body === undefined ? set : [...set, ['content-length', String(body.length)]]);
          expect((mutation.set_headers ?? []).every(({ append_action }) => append_action === 'OVERWRITE_IF_EXISTS_OR_ADD')).toBe(true);
          expect(mutation.remove_headers ?? []).toEqual(remove);
          if (body !== undefined)
            expect(Buffer.compare((response['body_mutation'] as { body?: Buffer }).body ?? Buffer.alloc(0), Buffer.from(body))).toBe(0);
          expect(response['clear_route_cache'] ?? false).toBe(clear);
          const fields = decoded.dynamic_metadata.fields.sluice.structValue.fields ?? {};
          expect(Object.fromEntries(Object.entries(fields).map(([key, entry]) => [key, entry.stringValue ?? '']))).toEqual(metadata);
        },
      ),
    );
  });

  it('writes the same bytes in pieces, and a large body is one of them', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 16_383, 16_384, 100_000),
        fc.nat(9),
        fc.boolean(),
        fc.dictionary(name, value),
        (bytes, lead, clear, metadata) => {
          const body = Buffer.alloc(bytes, 'x');
          const reply: Reply = {
            kind: 'continue',
            phase: 'request-body',
            headers: { set: [], remove: [] },
            body,
            clearRouteCache: clear,
            metadata,
          };
          const pieces = encodeReplyPieces(reply, lead);
          expect(Buffer.concat(pieces).subarray(lead).equals(encodeReply(reply))).toBe(true);
          expect(pieces.some((piece) => piece.buffer === body.buffer && piece.length === bytes)).toBe(bytes >= 16_384);
        },
      ),
    );
  });

  it('writes a body in pieces as it would be whole', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 100, 16_383, 16_384, 40_000), { maxLength: 6 }), fc.nat(9), (sizes, lead) => {
        const body = sizes.map((bytes, index) => Buffer.alloc(bytes, index));
        const whole: Reply = { kind: 'continue', phase: 'request-body', body: Buffer.concat(body), clearRouteCache: true };
        expect(
          Buffer.concat(encodeReplyPieces({ ...whole, body }, lead))
            .subarray(lead)
            .equals(encodeReply(whole)),
        ).toBe(true);
      }),
    );
  });

  it('asks for the buffered body and for no other phase', () => {
    expect(decodeResponse(encodeReply({ kind: 'continue', phase: 'request-headers', requestBodyMode: 'BUFFERED' }))).toMatchObject({
      mode_override: {
        request_header_mode: 'SEND',
        response_header_mode: 'SKIP',
        request_body_mode: 'BUFFERED',
        response_trailer_mode: 'SKIP',
      },
    });
  });

  it('writes nothing but printable ASCII into headers, and into metadata, which Envoy writes into headers', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const set = [['x-a', text]] as const;
        const continued = decodeResponse(
          encodeReply({
            kind: 'continue',
            phase: 'request-body',
            headers: { set, remove: [] },
            metadata: { model: text, list: [text], nested: { model: text } },
          }),
        );
        const immediate = decodeResponse(
          encodeReply({ kind: 'immediate', status: 403, headers: { set, remove: [] }, body: Buffer.alloc(0), details: 'd' }),
        );
        const texts: string[] = [];
        JSON.stringify([continued, immediate], (_key, value: unknown) => {
          if (typeof value === 'string') texts.push(value);
          if ((value as { type?: string } | null)?.type === 'Buffer') texts.push(Buffer.from(value as Uint8Array).toString('latin1'));
          return value;
        });
        const safe = /^[\x20-\x7e]*$/;
        for (const written of texts) expect(written).toMatch(safe);
        expect(texts.filter((written) => written === headerText(text)).length).toBeGreaterThanOrEqual(5);
        if (safe.test(text)) expect(headerText(text)).toBe(text);
      }),
    );
    expect(headerText('a\r\nb: é\u0000\ud800')).toBe('a%0D%0Ab: %C3%A9%00%EF%BF%BD');
  });

  it('writes an immediate response whole', () => {
    const reply: Reply = {
      kind: 'immediate',
      status: 403,
      headers: { set: [['content-type', 'application/json']], remove: [] },
      body: Buffer.from('{}'),
      details: 'why',
    };
    expect(decodeResponse(encodeReply({ kind: 'wait', ms: 30_250 }))).toEqual({
      override_message_timeout: { seconds: 30, nanos: 250_000_000 },
    });
    expect(decodeResponse(encodeReply(reply))).toMatchObject({
      immediate_response: { status: { code: 403 }, body: Buffer.from('{}'), details: 'why' },
    });
  });
});

describe('the codec against garbage', () => {
  const outcome = (bytes: Buffer): string => {
    try {
      return decodeRequest(bytes).phase.kind;
    } catch (error) {
      if (error instanceof WireError) return 'refused';
      throw error;
    }
  };

  it('refuses or reads any bytes, and throws nothing but its own error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(outcome(Buffer.from(bytes))).toBeTypeOf('string');
      }),
      runs(2_000),
    );
  });

  it('refuses every truncation of a message that ends inside a field', () => {
    const whole = encodeRequest({ request_headers: { headers: headerMap({ ':path': '/v1/chat/completions' }) } });
    for (let length = 1; length < whole.length; length++) expect(outcome(whole.subarray(0, length))).toBe('refused');
  });

  it('survives flipped bits', () => {
    const whole = encodeRequest({
      request_body: { body: Buffer.from('hello'), end_of_stream: true },
      metadata_context: { filter_metadata: { sluice: struct({ id: 'x' }) } },
    });
    for (let at = 0; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bent = Buffer.from(whole);
        bent[at]! ^= 1 << bit;
        expect(outcome(bent)).toBeTypeOf('string');
      }
    }
  });
});
