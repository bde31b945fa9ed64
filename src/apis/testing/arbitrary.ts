import fc from 'fast-check';
import { parseJson, writeJson } from '../common/json.ts';

const name = fc.stringMatching(/^[a-z][a-z_]{0,11}$/);
/** Some APIs refuse a text of only white space. */
const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 24 }).filter((one) => one.trim() !== '');

/** JSON text of any value, with numbers of any size, in the format that the library writes. */
const anyJson: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('null', 'true', '1.0', '9007199254740993', '-12345678901234567890', '1e400', '0.1', '1E5'),
    fc.string({ unit: 'grapheme', maxLength: 8 }).map((one) => JSON.stringify(one)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 3 }).map((members) => object(members)),
  ),
})).value;

/** Unique keys, because parsers keep the last duplicate. */
function object(members: readonly (readonly [string, string])[]): string {
  return `{${[...new Map(members)].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
}

/** Arguments of a call: JSON text of an object. */
const args: fc.Arbitrary<string> = fc
  .array(fc.tuple(name, anyJson), { maxLength: 4 })
  .map((members) => writeJson(parseJson(object(members)) ?? {}));

const picture = fc.oneof(
  fc.base64String({ minLength: 4, maxLength: 16 }).map((data) => `data:image/png;base64,${data}`),
  name.map((path) => `https://example.org/${path}.png`),
);

const userPart = fc.oneof(
  text.map((one) => ({ type: 'text', text: one })),
  picture.map((url) => ({ type: 'image_url', image_url: { url } })),
);

/** A single text is written as a string, anything else as parts. */
const userMessage = fc.oneof(
  text.map((content) => ({ role: 'user', content })),
  fc.array(userPart, { minLength: 2, maxLength: 4 }).map((content) => ({ role: 'user', content })),
);

interface Call {
  readonly name: string;
  readonly args: string;
  readonly result: string;
}

const call: fc.Arbitrary<Call> = fc.record({ name, args, result: text });

/** One exchange: a question, calls with their results, and an answer. */
const round = fc.record({ user: userMessage, calls: fc.array(call, { maxLength: 3 }), said: fc.option(text), answer: text });

const tool = fc
  .record({ name, description: text, properties: fc.dictionary(name, fc.constant({ type: 'string' }), { maxKeys: 3 }) })
  .map(({ name: called, description, properties }) => ({
    type: 'function',
    function: {
      name: called,
      description,
      parameters: { type: 'object', properties, required: Object.keys(properties), additionalProperties: false },
    },
  }));

/** A chat completions body with only content that every API supports, in the format that the library writes. */
export const chatBody: fc.Arbitrary<Record<string, unknown>> = fc
  .record({
    system: fc.option(text),
    rounds: fc.array(round, { maxLength: 3 }),
    last: userMessage,
    tools: fc.uniqueArray(tool, { maxLength: 3, selector: (one) => one.function.name }),
    choice: fc.constantFrom(null, 'auto', 'none', 'required', 'named'),
    limit: fc.integer({ min: 1, max: 4_096 }),
    temperature: fc.option(fc.constantFrom(0, 0.25, 1)),
    stop: fc.array(fc.constantFrom('END', '\n\nHuman:', '###'), { maxLength: 2 }),
    schema: fc.boolean(),
    checked: fc.boolean(),
  })
  .map(({ system, rounds, last, tools: plain, choice, limit, temperature, stop, schema, checked }) => {
    // Gemini checks the arguments of all tools or of none, and only says so if the model may choose.
    const tools = checked && choice === 'auto' ? plain.map((one) => ({ ...one, function: { ...one.function, strict: true } })) : plain;
    const messages: object[] = system === null ? [] : [{ role: 'system', content: system }];
    let id = 0;
    for (const { user, calls, said, answer } of rounds) {
      messages.push(user);
      if (calls.length > 0) {
        const named = calls.map((one) => ({ ...one, id: `call_${id++}` }));
        messages.push({
          role: 'assistant',
          content: said,
          tool_calls: named.map((one) => ({ id: one.id, type: 'function', function: { name: one.name, arguments: one.args } })),
        });
        messages.push(...named.map((one) => ({ role: 'tool', tool_call_id: one.id, content: one.result })));
      }
      messages.push({ role: 'assistant', content: answer });
    }
    messages.push(last);
    const toolChoice =
      tools.length === 0 || choice === null
        ? {}
        : { tool_choice: choice === 'named' ? { type: 'function', function: { name: tools[0]!.function.name } } : choice };
    return {
      model: 'gpt-4.1',
      messages,
      ...(tools.length === 0 ? {} : { tools, ...toolChoice }),
      max_completion_tokens: limit,
      ...(temperature === null ? {} : { temperature }),
      ...(stop.length === 0 ? {} : { stop }),
      ...(schema
        ? {
            response_format: {
              type: 'json_schema',
              json_schema: {
                name: 'answer',
                schema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false },
                strict: true,
              },
            },
          }
        : {}),
    };
  });

/** Replaces one position in a JSON value, chosen by `seed`, with another value. */
export function spoil(value: unknown, seed: number, by: unknown): unknown {
  if (typeof value !== 'object' || value === null || seed % 7 === 0) return by;
  const entries: [string, unknown][] = Object.entries(value);
  if (entries.length === 0) return by;
  const [key, inner] = entries[seed % entries.length]!;
  const changed = spoil(inner, Math.floor(seed / entries.length), by);
  return Array.isArray(value) ? value.map((one: unknown, index) => (String(index) === key ? changed : one)) : { ...value, [key]: changed };
}

interface ChatMessage {
  readonly role: string;
  readonly content: unknown;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[];
}

/** The same conversation as a Responses body. */
export function responsesBody(chat: Record<string, unknown>): Record<string, unknown> {
  const {
    messages,
    tools,
    tool_choice: choice,
    response_format: format,
    max_completion_tokens: limit,
    temperature,
  } = chat as {
    readonly messages: readonly ChatMessage[];
    readonly tools?: readonly { readonly function: object }[];
    readonly tool_choice?: string | { readonly function: { readonly name: string } };
    readonly response_format?: { readonly json_schema: object };
    readonly max_completion_tokens: number;
    readonly temperature?: number;
  };
  const part = (one: Record<string, unknown>): object =>
    one['type'] === 'text'
      ? { type: 'input_text', text: one['text'] }
      : { type: 'input_image', detail: 'auto', image_url: (one['image_url'] as { readonly url: string }).url };
  const input = messages.flatMap((message): object[] => {
    if (message.role === 'tool') return [{ type: 'function_call_output', call_id: message.tool_call_id, output: message.content }];
    const calls = (message.tool_calls ?? []).map((one) => ({
      type: 'function_call',
      call_id: one.id,
      name: one.function.name,
      arguments: one.function.arguments,
    }));
    if (message.content === null) return calls;
    const content = Array.isArray(message.content) ? message.content.map((one) => part(one as Record<string, unknown>)) : message.content;
    return [{ role: message.role, content }, ...calls];
  });
  return {
    model: 'gpt-5.1',
    input,
    ...(tools === undefined ? {} : { tools: tools.map((one) => ({ type: 'function', strict: false, ...one.function })) }),
    ...(choice === undefined
      ? {}
      : { tool_choice: typeof choice === 'string' ? choice : { type: 'function', name: choice.function.name } }),
    ...(format === undefined ? {} : { text: { format: { type: 'json_schema', ...format.json_schema } } }),
    max_output_tokens: limit,
    ...(temperature === undefined ? {} : { temperature }),
  };
}
