import { base64, chatPath, claude, geminiPath, json, messagesPath, responsesPath, secret, way, type Way } from './ways.ts';

const hi = { role: 'user', content: 'hi' };

/** Ways that put the text into members which few apps use, and which a model or a tool still reads. */
export function members(): readonly Way[] {
  return [...ofChat(), ...ofResponses(), ...ofAnthropic(), ...ofGemini()];
}

function ofChat(): Way[] {
  const chat = (what: string, body: object): Way =>
    way('member', `chat: ${what}`, json({ model: 'gpt-5.1', messages: [hi], ...body }), { path: chatPath });
  const part = (content: object): object => ({ messages: [{ role: 'user', content: [content] }] });
  return [
    chat('a function of the old kind', { functions: [{ name: 'f', description: secret }] }),
    chat('a call of the old kind', { messages: [{ role: 'assistant', function_call: { name: 'f', arguments: json({ q: secret }) } }] }),
    chat('a custom tool’s input', {
      messages: [{ role: 'assistant', tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'x', input: secret } }] }],
    }),
    chat('a custom tool’s grammar', {
      tools: [{ type: 'custom', custom: { name: 'x', format: { type: 'grammar', grammar: { syntax: 'lark', definition: secret } } } }],
    }),
    chat('a refusal', { messages: [{ role: 'assistant', content: [{ type: 'refusal', refusal: secret }] }] }),
    chat('a picture’s address', part({ type: 'image_url', image_url: { url: 'https://a.test/?q=project zeus' } })),
    chat('an escaped picture’s address', part({ type: 'image_url', image_url: { url: 'https://a.test/?q=project%20zeus' } })),
    chat(
      'a drawing',
      part({ type: 'image_url', image_url: { url: `data:image/svg+xml;base64,${base64(`<svg><text>${secret}</text></svg>`)}` } }),
    ),
    chat(
      'a drawing as text',
      part({ type: 'image_url', image_url: { url: `data:image/svg+xml,${encodeURIComponent(`<svg>${secret}</svg>`)}` } }),
    ),
    chat('a file without a type', part({ type: 'file', file: { file_data: base64(secret) } })),
    chat('a file’s name', part({ type: 'file', file: { file_data: base64('x'), filename: 'project zeus.txt' } })),
    chat('a web page', part({ type: 'file', file: { file_data: `data:text/html;charset=utf-8;base64,${base64(`<p>${secret}</p>`)}` } })),
    chat('where somebody searches', {
      web_search_options: { user_location: { type: 'approximate', approximate: { city: 'project zeus' } } },
    }),
    chat('a prediction in parts', { prediction: { type: 'content', content: [{ type: 'text', text: secret }] } }),
    chat('the suffix of code', { suffix: secret }),
    chat('an unknown member', { extra_body: { hint: secret } }),
    chat('a template’s arguments', { chat_template_kwargs: { system: secret } }),
    chat('guided choices', { guided_choice: [secret, 'no'] }),
    chat('documents for retrieval', { documents: [{ id: '1', data: { text: secret } }] }),
    chat('a message inside a message', { messages: [{ role: 'user', content: json(hi), messages: [{ role: 'user', content: secret }] }] }),
    chat('content that is a number’s neighbour', { messages: [{ role: 'user', content: [7, secret] }] }),
    chat('a text part with its value in an object', part({ type: 'text', text: { value: secret } })),
    chat('arguments that are an object', {
      messages: [
        { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: { 'project zeus': 1 } } }] },
      ],
    }),
  ];
}

function ofResponses(): Way[] {
  const items = (what: string, item: object): Way =>
    way('member', `Responses: ${what}`, json({ model: 'gpt-5.1', input: [item] }), { path: responsesPath });
  const tools = (what: string, tool: object): Way =>
    way('member', `Responses: ${what}`, json({ model: 'gpt-5.1', input: 'hi', tools: [tool] }), { path: responsesPath });
  return [
    items('a shell’s command', {
      type: 'local_shell_call',
      id: 's',
      call_id: 'c',
      action: { type: 'exec', command: ['echo', secret], env: {} },
    }),
    items('a shell’s environment', {
      type: 'local_shell_call',
      id: 's',
      call_id: 'c',
      action: { type: 'exec', command: ['x'], env: { A: secret } },
    }),
    items('a shell’s output', { type: 'shell_call_output', call_id: 'c', output: [{ stdout: secret, stderr: '' }] }),
    items('a patch', { type: 'apply_patch_call', call_id: 'c', operation: { type: 'create_file', path: 'a', diff: secret } }),
    items('a custom tool’s input', { type: 'custom_tool_call', call_id: 'c', name: 'x', input: secret }),
    items('a custom tool’s output', { type: 'custom_tool_call_output', call_id: 'c', output: secret }),
    items('code', { type: 'code_interpreter_call', id: 'c', code: secret, container_id: 'k', outputs: [] }),
    items('code’s log', { type: 'code_interpreter_call', id: 'c', code: '', container_id: 'k', outputs: [{ type: 'logs', logs: secret }] }),
    items('a file search', { type: 'file_search_call', id: 'c', queries: [secret], results: [] }),
    items('a file search’s result', { type: 'file_search_call', id: 'c', queries: [], results: [{ text: secret }] }),
    items('a web search', { type: 'web_search_call', id: 'c', action: { type: 'search', query: secret } }),
    items('reasoning', { type: 'reasoning', id: 'r', summary: [{ type: 'summary_text', text: secret }] }),
    items('a remote tool’s arguments', { type: 'mcp_call', id: 'm', name: 'x', server_label: 's', arguments: json({ q: secret }) }),
    items('a remote tool’s output', { type: 'mcp_call', id: 'm', name: 'x', server_label: 's', arguments: '{}', output: secret }),
    items('a list of remote tools', { type: 'mcp_list_tools', server_label: 's', tools: [{ name: 'x', description: secret }] }),
    items('an approval', { type: 'mcp_approval_response', approval_request_id: 'a', approve: false, reason: secret }),
    items('typing at a computer', { type: 'computer_call', id: 'c', call_id: 'c', action: { type: 'type', text: secret } }),
    items('a file by its text', {
      role: 'user',
      content: [{ type: 'input_file', filename: 'a.txt', file_data: `data:text/plain;base64,${base64(secret)}` }],
    }),
    items('a file’s address', { role: 'user', content: [{ type: 'input_file', file_url: 'https://a.test/project zeus' }] }),
    tools('a remote tool’s header', { type: 'mcp', server_label: 's', server_url: 'https://a.test', headers: { 'X-Q': secret } }),
    tools('a search’s filter', { type: 'file_search', vector_store_ids: ['v'], filters: { type: 'eq', key: 'a', value: secret } }),
    tools('a shell’s skill', {
      type: 'shell',
      environment: { type: 'container_auto', skills: [{ type: 'inline', name: 'a', description: secret }] },
    }),
    way(
      'member',
      'Responses: a format',
      json({ model: 'gpt-5.1', input: 'hi', text: { format: { type: 'json_schema', name: 'a', schema: { const: secret } } } }),
      { path: responsesPath },
    ),
    way(
      'member',
      'Responses: a prompt’s file',
      json({ model: 'gpt-5.1', prompt: { id: 'p', variables: { a: { type: 'input_text', text: secret } } } }),
      { path: responsesPath },
    ),
  ];
}

function ofAnthropic(): Way[] {
  const claudes = (what: string, more: object): Way => way('member', `Anthropic: ${what}`, claude(more), { path: messagesPath });
  const block = (what: string, content: object, role = 'user'): Way => claudes(what, { messages: [{ role, content: [content] }] });
  return [
    block('a document’s title', { type: 'document', title: secret, source: { type: 'text', media_type: 'text/plain', data: 'a' } }),
    block('a document in base64', { type: 'document', source: { type: 'base64', media_type: 'text/plain', data: base64(secret) } }),
    block('a document of blocks', { type: 'document', source: { type: 'content', content: [{ type: 'text', text: secret }] } }),
    block('a document’s address', { type: 'document', source: { type: 'url', url: 'https://a.test/project zeus' } }),
    block('a search result’s source', { type: 'search_result', source: secret, title: 'b', content: [] }),
    block('a search result’s title', { type: 'search_result', source: 'a', title: secret, content: [] }),
    block('a server’s tool', { type: 'server_tool_use', id: 's', name: 'web_search', input: { query: secret } }, 'assistant'),
    block(
      'a page that was found',
      { type: 'web_search_tool_result', tool_use_id: 's', content: [{ type: 'web_search_result', title: secret, url: 'https://a.test' }] },
      'assistant',
    ),
    block(
      'what code printed',
      {
        type: 'code_execution_tool_result',
        tool_use_id: 's',
        content: { type: 'code_execution_result', stdout: secret, stderr: '', return_code: 0, content: [] },
      },
      'assistant',
    ),
    block(
      'what a shell printed',
      { type: 'bash_code_execution_tool_result', tool_use_id: 's', content: { type: 'bash_code_execution_result', stdout: secret } },
      'assistant',
    ),
    block(
      'a citation',
      { type: 'text', text: 'a', citations: [{ type: 'char_location', cited_text: secret, document_index: 0 }] },
      'assistant',
    ),
    block('a tool result that is a text', { type: 'tool_result', tool_use_id: 't', content: secret }),
    block('a remote tool’s result', { type: 'mcp_tool_result', tool_use_id: 't', content: [{ type: 'text', text: secret }] }),
    block('a summary of what came before', { type: 'compaction', content: secret }, 'assistant'),
    claudes('a stop word', { stop_sequences: [secret] }),
    claudes('examples for a tool', { tools: [{ name: 'f', input_schema: { type: 'object' }, input_examples: [{ q: secret }] }] }),
    claudes('a server’s address', { mcp_servers: [{ type: 'url', name: 's', url: 'https://a.test/?q=project zeus' }] }),
    claudes('a format', { output_format: { type: 'json_schema', schema: { type: 'object', description: secret } } }),
    claudes('domains of a search', {
      tools: [{ type: 'web_search_20250305', name: 'web_search', user_location: { type: 'approximate', city: 'project zeus' } }],
    }),
    claudes('instructions of a summary', { context_management: { edits: [{ type: 'compact_20260112', instructions: secret }] } }),
  ];
}

function ofGemini(): Way[] {
  const google = (what: string, body: object): Way => way('member', `Gemini: ${what}`, json(body), { path: geminiPath });
  const part = (what: string, content: object): Way => google(what, { contents: [{ role: 'user', parts: [content] }] });
  const config = (what: string, generationConfig: object): Way =>
    google(what, { contents: [{ parts: [{ text: 'hi' }] }], generationConfig });
  return [
    part('what code printed', { codeExecutionResult: { outcome: 'OUTCOME_OK', output: secret } }),
    part('a file’s address', { fileData: { mimeType: 'text/plain', fileUri: 'https://a.test/project zeus' } }),
    part('a file’s name', { inlineData: { mimeType: 'text/plain', displayName: 'project zeus', data: base64('a') } }),
    part('snake case', { function_response: { name: 'f', response: { result: secret } } }),
    part('inline data in snake case', { inline_data: { mime_type: 'text/csv', data: base64(secret) } }),
    part('inline data for URLs', { inlineData: { mimeType: 'text/plain', data: Buffer.from(`${secret}???>>>`).toString('base64url') } }),
    part('inline data on several lines', {
      inlineData: { mimeType: 'text/plain', data: base64(secret.repeat(3)).replace(/(.{20})/g, '$1\n') },
    }),
    part('inline data of another type', { inlineData: { mimeType: 'application/json', data: base64(json({ a: secret })) } }),
    part('inline Latin-1', { inlineData: { mimeType: 'text/plain', data: Buffer.from(`${secret} é`, 'latin1').toString('base64') } }),
    part('parts of a response', {
      functionResponse: { name: 'f', response: {}, parts: [{ inlineData: { mimeType: 'text/plain', data: base64(secret) } }] },
    }),
    part('a thought', { text: secret, thought: true }),
    google('contents that are no list', { contents: { parts: { text: secret } } }),
    google('a system instruction as a text', { system_instruction: secret, contents: [] }),
    google('a response’s schema of a tool', {
      contents: [],
      tools: [{ functionDeclarations: [{ name: 'f', responseJsonSchema: { description: secret } }] }],
    }),
    google('labels', { contents: [{ parts: [{ text: 'hi' }] }], labels: { project: 'project zeus' } }),
    config('a schema', { responseSchema: { type: 'STRING', enum: [secret] } }),
    config('a stop word', { stopSequences: [secret] }),
    config('a schema in JSON Schema', { responseJsonSchema: { title: secret } }),
  ];
}
