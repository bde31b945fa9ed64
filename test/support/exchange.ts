import type { ParsedRequest } from '../../src/apis/types.ts';

/** An exchange with a chat's defaults; `promptTokens` follows the text as the readers estimate it. */
export function exchangeOf(facts: Partial<ParsedRequest> & { readonly lastUser: string }): ParsedRequest {
  const text = `${facts.system ?? ''}${facts.context ?? ''}${facts.lastUser}`;
  const bytes = Buffer.byteLength(text);
  const high = bytes - [...Buffer.from(text)].filter((byte) => byte < 0x80).length;
  return {
    api: 'openai-chat',
    operation: 'generate',
    model: 'gpt-5.1',
    modelSpans: [],
    pathModel: null,
    stream: false,
    bodyBytes: bytes + 100,
    system: '',
    question: null,
    context: '',
    textTruncated: false,
    textBytes: bytes,
    promptTokens: Math.ceil((bytes - high) / 4 + high / 3) + 4,
    messages: 1,
    userTurns: 1,
    lastIsToolResult: false,
    tools: 0,
    toolNames: [],
    images: 0,
    audioInputs: 0,
    files: 0,
    audioOutput: false,
    jsonOutput: 'none',
    maxOutputTokens: null,
    temperature: null,
    n: 1,
    reasoning: null,
    includeUsage: null,
    session: null,
    user: null,
    opening: null,
    parameters: [],
    limitKey: null,
    bodyOpen: 1,
    ...facts,
  };
}
