import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAnswer } from './answer.ts';
import { JsonArraySplitter } from './scan/json-stream.ts';
import { SseSplitter } from './scan/sse.ts';
import { runs } from '../../test/support/fuzz.ts';

/** Bytes in pieces that end anywhere, empty ones among them. */
function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((place, index) => bytes.subarray(places[index], place));
}

const cuts = fc.oneof(fc.array(fc.nat(10_000), { maxLength: 20 }), fc.constant(Array.from({ length: 10_000 }, (_, index) => index)));

/** The events of a stream as the standard says them, but for the last one, which need not have its blank line; longer ones than `most` bytes are left out. */
function reference(text: string, most: number): { readonly events: string[]; readonly skipped: number } {
  const events: string[] = [];
  let data: string[] = [];
  let skipped = 0;
  const end = (): void => {
    if (data.reduce((sum, line) => sum + Buffer.byteLength(line), 0) > most) skipped++;
    else if (data.length > 0) events.push(data.join('\n'));
    data = [];
  };
  for (const line of text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/)) {
    if (line === '') end();
    const [, field, value] = /^([^:]*)(?::\x20?(.*))?$/su.exec(line) ?? [];
    if (field === 'data') data.push(value ?? '');
  }
  end();
  return { events, skipped };
}

describe('server-sent events', () => {
  const small = fc.constantFrom(
    'data: a',
    'data:b',
    'data',
    'data:',
    'data:  two',
    'dat',
    'dat: no',
    'datax: no',
    'Data: no',
    ': data: comment',
    ':',
    'event: e',
    'id',
    'data: é漢👩‍👩‍👧',
    'data: \ufeff',
    '\ufeffdata: no',
    '',
    '',
    '',
  );
  const huge = fc.constantFrom('data: ', ': ', 'event: ', 'data:').map((prefix) => prefix + 'x'.repeat(300));
  const lines = fc.array(
    fc.tuple(fc.oneof({ weight: 12, arbitrary: small }, { weight: 1, arbitrary: huge }), fc.constantFrom('\n', '\r\n', '\r')),
    { maxLength: 40 },
  );

  it('are those of the standard, however they are cut and whatever is too long between them', () => {
    fc.assert(
      fc.property(fc.boolean(), lines, fc.boolean(), cuts, (bom, list, unended, places) => {
        const text =
          (bom ? '\ufeff' : '') + list.map(([line, end], index) => line + (unended && index === list.length - 1 ? '' : end)).join('');
        const most = 200;
        const events: string[] = [];
        const splitter = new SseSplitter((data) => events.push(data.toString()), most);
        for (const chunk of cut(Buffer.from(text), places)) splitter.push(chunk);
        splitter.end();
        expect({ events, skipped: splitter.skipped }).toEqual(reference(text, most));
      }),
      runs(1_000),
    );
  });

  it('may come byte by byte, whatever their length', () => {
    const events: number[] = [];
    const splitter = new SseSplitter((data) => events.push(data.length));
    for (const byte of Buffer.from(`data: ${'x'.repeat(1_000_000)}\n\n`)) splitter.push(Buffer.from([byte]));
    expect(events).toEqual([1_000_000]);
  });
});

describe('an array of objects', () => {
  const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('}', ']', '"', '\\', '[{', '漢'));
  // Node 24.21's own JSON.parse takes the key `"` for `\` when it has seen that one in the same place.
  const key = text.filter((name) => name !== '\\');
  const element = fc.dictionary(
    key,
    fc.oneof(text, fc.integer(), fc.constant(null), fc.array(text, { maxLength: 3 }), fc.dictionary(key, text, { maxKeys: 2 })),
    { maxKeys: 4 },
  );

  it('is split into what JSON.parse would give, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(element, { maxLength: 6 }),
        fc.constantFrom('', ' ', '\r\n'),
        fc.constantFrom(undefined, 1),
        cuts,
        (elements, space, indent, places) => {
          const bytes = Buffer.from(
            `${space}[${elements.map((value) => space + JSON.stringify(value, null, indent)).join(`${space},`)}${space}]${space}`,
          );
          const got: unknown[] = [];
          const splitter = new JsonArraySplitter((bytesOf) => got.push(JSON.parse(bytesOf.toString())));
          for (const chunk of cut(bytes, places)) splitter.push(chunk);
          expect(got).toEqual(elements.map((value) => JSON.parse(JSON.stringify(value)) as unknown));
          expect(splitter.closed).toBe(true);
        },
      ),
      runs(500),
    );
  });

  it('leaves out elements that are too long and no others', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(5, 1_000), { maxLength: 8 }), cuts, (lengths, places) => {
        const bytes = Buffer.from(JSON.stringify(lengths.map((length) => ({ text: 'x'.repeat(length) }))));
        const got: number[] = [];
        const splitter = new JsonArraySplitter((element_) => got.push(element_.length), 200);
        for (const chunk of cut(bytes, [...places, ...Array.from({ length: 200 }, (_, index) => index * 50)])) splitter.push(chunk);
        expect(got.filter((length) => length < 200)).toEqual(lengths.filter((length) => length === 5).map((length) => length + 11));
        expect(splitter.skipped).toBe(lengths.filter((length) => length === 1_000).length);
      }),
      runs(200),
    );
  });

  it('is Gemini’s stream, however it is cut', () => {
    const chunk = (text_: string, finishReason?: string): object => ({
      candidates: [{ content: { parts: [{ text: text_ }] }, ...(finishReason === undefined ? {} : { finishReason }) }],
      usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 6 },
      modelVersion: 'gemini-2.5-flash',
    });
    const bytes = Buffer.from(` \n[${JSON.stringify(chunk('a'))},\r\n${JSON.stringify(chunk('b]}"', 'STOP'))}]\n`);
    fc.assert(
      fc.property(cuts, (places) => {
        const reader = readAnswer({
          api: 'gemini-generate',
          status: 200,
          contentType: 'application/json',
          contentEncoding: '',
          usageNotAsked: false,
        });
        for (const piece of cut(bytes, places)) reader.push(piece);
        expect(reader.end(true)).toMatchObject({
          complete: true,
          finishReason: 'STOP',
          model: 'gemini-2.5-flash',
          usage: { totalInput: 10, totalOutput: 6 },
        });
      }),
      runs(200),
    );
  });
});
