import { describe, expect, it } from 'vitest';
import { neutralDrops } from './translate.ts';
import { foreignSignature } from './common/models.ts';
import { refused, translate, translated } from './testing/requests.ts';

const flash = { model: 'gemini-2.5-flash' };
const gemini3 = { model: 'gemini-3.1-pro-preview' };
const gpt = { model: 'gpt-4.1' };
const haiku = { model: 'claude-haiku-4-5' };
const png = 'iVBORw0KGgo=';
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };

const openaiBody = {
  model: 'gpt-4.1',
  messages: [
    { role: 'system', content: 'Be brief.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
        { type: 'image_url', image_url: { url: 'https://example.org/cat.jpg?size=1' } },
        { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
      ],
    },
    {
      role: 'assistant',
      content: 'I look.',
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
        { id: 'call_2', type: 'function', function: { name: 'clock', arguments: '{}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
    { role: 'tool', tool_call_id: 'call_2', content: 'noon' },
    { role: 'user', content: 'And?' },
  ],
  tools: [
    { type: 'function', function: { name: 'weather', description: 'The weather', parameters: schema } },
    { type: 'function', function: { name: 'clock' } },
  ],
  tool_choice: { type: 'function', function: { name: 'weather' } },
  max_completion_tokens: 512,
  temperature: 1.5,
  top_p: 0.9,
  seed: 42,
  stop: ['END'],
};

const geminiBody = {
  systemInstruction: { parts: [{ text: 'Be brief.' }] },
  contents: [
    {
      role: 'user',
      parts: [
        { text: 'What is this?' },
        { inlineData: { mimeType: 'image/png', data: png } },
        { fileData: { fileUri: 'https://example.org/cat.jpg?size=1', mimeType: 'image/jpeg' } },
        { inlineData: { mimeType: 'audio/wav', data: 'AAAA' } },
      ],
    },
    {
      role: 'model',
      parts: [
        { text: 'I look.' },
        { functionCall: { id: 'call_1', name: 'weather', args: { city: 'Rome' } } },
        { functionCall: { id: 'call_2', name: 'clock', args: {} } },
      ],
    },
    {
      role: 'user',
      parts: [
        { functionResponse: { id: 'call_1', name: 'weather', response: { output: 'sunny' } } },
        { functionResponse: { id: 'call_2', name: 'clock', response: { output: 'noon' } } },
      ],
    },
    { role: 'user', parts: [{ text: 'And?' }] },
  ],
  tools: [{ functionDeclarations: [{ name: 'weather', description: 'The weather', parametersJsonSchema: schema }, { name: 'clock' }] }],
  toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['weather'] } },
  generationConfig: { maxOutputTokens: 512, temperature: 1.5, topP: 0.9, seed: 42, stopSequences: ['END'] },
};
const response_format = { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } };
const inFormat = { ...geminiBody.generationConfig, responseMimeType: 'application/json', responseJsonSchema: schema };

describe('OpenAI chat to Gemini', () => {
  it('carries everything that both sides have', () => {
    expect(translate('openai-chat', 'gemini-generate', openaiBody, flash)).toEqual(geminiBody);
    const { messages, temperature, top_p, seed, stop, max_completion_tokens } = openaiBody;
    const settings = { temperature, top_p, seed, stop, max_completion_tokens };
    expect(
      translate('openai-chat', 'gemini-generate', { ...settings, messages: messages.slice(0, 2), response_format }, flash),
    ).toMatchObject({ generationConfig: inFormat });
    // The first version that takes both.
    expect(translate('openai-chat', 'gemini-generate', { ...openaiBody, response_format }, gemini3)).toMatchObject({
      tools: geminiBody.tools,
      generationConfig: inFormat,
    });
  });

  it('says in the path which model, and whether it streams', () => {
    expect(translated('openai-chat', 'gemini-generate', openaiBody, flash)).toMatchObject({
      path: '/v1beta/models/gemini-2.5-flash:generateContent',
      headers: {},
    });
    expect(translated('openai-chat', 'gemini-generate', openaiBody, { ...flash, stream: true })).toMatchObject({
      path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
    });
  });

  it('signs the first of parallel calls for models that demand a signature', () => {
    const { contents } = translate('openai-chat', 'gemini-generate', openaiBody, gemini3) as {
      contents: { parts: Record<string, unknown>[] }[];
    };
    expect(contents[1]!.parts.map((part) => part['thoughtSignature'])).toEqual([undefined, foreignSignature, undefined]);
  });

  it.each([
    ['required', { mode: 'ANY' }],
    ['none', { mode: 'NONE' }],
    ['auto', { mode: 'AUTO' }],
    [
      { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'weather' } }] } },
      { mode: 'ANY', allowedFunctionNames: ['weather'] },
    ],
  ])('says which tool may be called: %j', (choice, config) => {
    expect(translate('openai-chat', 'gemini-generate', { ...openaiBody, tool_choice: choice }, flash)['toolConfig']).toEqual({
      functionCallingConfig: config,
    });
  });

  it.each([
    ['gemini-2.5-flash', 'medium', { thinkingBudget: 8_192 }],
    ['gemini-2.5-flash', 'none', { thinkingBudget: 0 }],
    ['gemini-3.1-pro-preview', 'minimal', { thinkingLevel: 'LOW' }],
    ['gemini-3-pro-preview', 'medium', { thinkingLevel: 'HIGH' }],
    ['gemini-3.1-pro-preview', 'medium', { thinkingLevel: 'MEDIUM' }],
  ])('asks %s to think as hard as %s', (model, effort, expected) => {
    const body = { model: 'm', messages: [{ role: 'user', content: 'x' }], reasoning_effort: effort };
    expect(
      (translate('openai-chat', 'gemini-generate', body, { model })['generationConfig'] as Record<string, unknown>)['thinkingConfig'],
    ).toEqual(expected);
  });

  it.each([
    ['gemini-2.5-pro', { reasoning_effort: 'none' }, ['reasoning_effort']],
    ['gemini-2.0-flash', { reasoning_effort: 'low' }, ['reasoning_effort']],
    ['gemini-2.5-flash', { parallel_tool_calls: false }, ['parallel_tool_calls']],
    ['gemini-2.5-flash', { stop: ['1', '2', '3', '4', '5', '6'] }, ['stop']],
    ['gemini-2.5-flash', { user: 'ann' }, ['user']],
    ['gemini-2.5-flash', { verbosity: 'low' }, ['verbosity']],
    ['gemini-2.5-flash', { messages: [{ role: 'tool', tool_call_id: 'nowhere', content: 'x' }] }, ['messages[]']],
  ])('knows what %s does not take: %j', (model, extra, paths) => {
    expect(
      refused('openai-chat', 'gemini-generate', { model: 'm', messages: [{ role: 'user', content: 'x' }], ...extra }, { model }),
    ).toEqual(paths);
  });
});

describe('Anthropic to Gemini and back', () => {
  it('keeps failed results and top_k', () => {
    const body = {
      model: 'm',
      max_tokens: 99,
      top_k: 7,
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'f', input: { a: 1 } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'broken', is_error: true }] },
      ],
    };
    const there = translate('anthropic-messages', 'gemini-generate', body, flash);
    expect(there).toMatchObject({ generationConfig: { topK: 7, maxOutputTokens: 99 } });
    // Anthropic refuses a history with calls of tools that are not defined; none of them may be called again.
    const defined = { tools: [{ name: 'f', input_schema: { type: 'object', properties: {} } }], tool_choice: { type: 'none' } };
    expect(translate('gemini-generate', 'anthropic-messages', there, haiku)).toEqual({ ...body, ...defined, model: 'claude-haiku-4-5' });
  });
});

describe('Gemini to the others', () => {
  it('carries everything that both sides have to OpenAI', () => {
    const expected = { ...openaiBody, model: 'gpt-4.1' };
    expect(translate('gemini-generate', 'openai-chat', geminiBody, gpt)).toEqual(expected);
    const generationConfig = { ...geminiBody.generationConfig, frequencyPenalty: -0.5, presencePenalty: 0.5 };
    expect(translate('gemini-generate', 'openai-chat', { ...geminiBody, generationConfig }, gpt)).toEqual({
      ...expected,
      frequency_penalty: -0.5,
      presence_penalty: 0.5,
    });
  });

  it("reads Google's own schemas and the names with underscores", () => {
    const body = {
      system_instruction: { parts: [{ text: 'Be brief.' }] },
      contents: { role: 'user', parts: [{ text: 'x' }, { inline_data: { mime_type: 'image/png', data: png } }] },
      tools: [
        {
          function_declarations: [
            {
              name: 'f',
              parameters: {
                type: 'OBJECT',
                propertyOrdering: ['when'],
                properties: {
                  when: { type: 'STRING', nullable: true, enum: ['now'] },
                  list: { type: 'ARRAY', minItems: '2', items: { anyOf: [{ type: 'NUMBER' }, { type: 'STRING' }] } },
                },
              },
            },
          ],
        },
      ],
      generation_config: {
        max_output_tokens: 9,
        response_mime_type: 'application/json',
        response_schema: { type: 'OBJECT', properties: {} },
      },
    };
    const result = translate('gemini-generate', 'anthropic-messages', body, haiku);
    expect(result).toMatchObject({
      system: 'Be brief.',
      max_tokens: 9,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'x' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
          ],
        },
      ],
      output_config: { format: { type: 'json_schema', schema: { type: 'object', properties: {} } } },
    });
    expect((result['tools'] as { input_schema: unknown }[])[0]!.input_schema).toEqual({
      type: 'object',
      properties: {
        when: { type: ['string', 'null'], enum: ['now', null] },
        list: { type: 'array', minItems: 2, items: { anyOf: [{ type: 'number' }, { type: 'string' }] } },
      },
    });
  });

  it('finds the results of calls that have no ids, by name and order', () => {
    const body = {
      contents: [
        { role: 'user', parts: [{ text: 'x' }] },
        {
          role: 'model',
          parts: [
            { functionCall: { name: 'f', args: { n: 1 } } },
            { functionCall: { name: 'g' } },
            { functionCall: { name: 'f', args: { n: 2 } } },
          ],
        },
        {
          role: 'function',
          parts: [
            { functionResponse: { name: 'f', response: { output: 'one' } } },
            { functionResponse: { name: 'f', response: { n: 2 } } },
            { functionResponse: { name: 'g', response: {} } },
          ],
        },
      ],
    };
    const { messages } = translate('gemini-generate', 'openai-chat', body, gpt) as {
      messages: { tool_calls?: { id: string }[]; tool_call_id?: string; content: string }[];
    };
    const ids = messages[1]!.tool_calls!.map((call) => call.id);
    expect(new Set(ids).size).toBe(3);
    expect(messages.slice(2).map((message) => [message.tool_call_id, message.content])).toEqual([
      [ids[0], 'one'],
      [ids[2], '{"n":2}'],
      [ids[1], '{}'],
    ]);
  });

  it.each([
    [{ safetySettings: [{ category: 'x', threshold: 'y' }] }, 'safetySettings'],
    [{ tools: [{ googleSearch: {} }] }, 'tools[].googleSearch'],
    [{ generationConfig: { candidateCount: 2 } }, 'generationConfig.candidateCount'],
    [{ generationConfig: { responseMimeType: 'text/x.enum' } }, 'generationConfig.responseMimeType'],
    [{ generationConfig: { responseModalities: ['IMAGE'] } }, 'generationConfig.responseModalities'],
    [{ generationConfig: { topK: 3 } }, 'generationConfig.topK'],
    [
      { contents: [{ parts: [{ fileData: { fileUri: 'gs://bucket/x.png', mimeType: 'image/png' } }, { text: 'x' }] }] },
      'contents[].parts[]',
    ],
    [{ contents: [{ parts: [{ executableCode: {} }, { text: 'x' }] }] }, 'contents[].parts[].executableCode'],
  ])('refuses what OpenAI has not (%j), or drops it and says so', (extra, path) => {
    const body = { contents: [{ parts: [{ text: 'x' }] }], ...extra };
    expect(refused('gemini-generate', 'openai-chat', body, gpt)).toEqual([path]);
    expect(translated('gemini-generate', 'openai-chat', body, { ...gpt, drop: [path] })).toMatchObject({ ok: true, dropped: [path] });
  });

  it('never drops a cached part of the prompt', () => {
    const body = { contents: [{ parts: [{ text: 'x' }] }], cachedContent: 'cachedContents/1' };
    expect(refused('gemini-generate', 'openai-chat', body, { ...gpt, drop: ['cachedContent'] })).toEqual(['cachedContent']);
  });

  it('leaves out thoughts and foreign signatures at will, and its own mark without asking', () => {
    const body = (signature: string): object => ({
      contents: [
        { parts: [{ text: 'x' }] },
        {
          role: 'model',
          parts: [
            { text: 'Hm.', thought: true },
            { functionCall: { id: 'a', name: 'f', args: {} }, thoughtSignature: signature },
          ],
        },
        { parts: [{ functionResponse: { id: 'a', name: 'f', response: { output: 'y' } } }] },
      ],
    });
    expect(refused('gemini-generate', 'openai-chat', body('c2ln'), gpt)).toEqual([
      'contents[].parts[].thoughts',
      'contents[].parts[].thoughtSignature',
    ]);
    expect(refused('gemini-generate', 'openai-chat', body('c2ln'), { ...gpt, drop: neutralDrops })).toEqual([]);
    expect(refused('gemini-generate', 'openai-chat', body(foreignSignature), gpt)).toEqual(['contents[].parts[].thoughts']);
  });

  it('says of a schema that OpenAI does not keep to', () => {
    const open = { type: 'object', properties: { a: { type: 'string' } } };
    const body = {
      contents: [{ parts: [{ text: 'x' }] }],
      generationConfig: { responseMimeType: 'application/json', responseJsonSchema: open },
    };
    expect(refused('gemini-generate', 'openai-chat', body, gpt)).toEqual(['generationConfig.responseMimeType.schema']);
    expect(
      translate('gemini-generate', 'openai-chat', body, { ...gpt, drop: ['generationConfig.responseMimeType'] })['response_format'],
    ).toEqual({ type: 'json_schema', json_schema: { name: 'answer', schema: open, strict: false } });
  });
});
