/**
 * OpenTelemetry's span `gen_ai.client.inference` as its conventions list it (semantic-conventions-genai, docs/gen-ai/client-inference.md,
 * which
 * depends on semantic conventions 1.44.0). `!`: required. Values are the well-known ones; where they are open, others are allowed too.
 */
const attributes: Readonly<Record<string, 'string' | 'int' | 'double' | 'boolean' | 'string[]' | 'any'>> = {
  'gen_ai.operation.name': 'string',
  'gen_ai.provider.name': 'string',
  'error.type': 'string',
  'gen_ai.conversation.id': 'string',
  'gen_ai.output.type': 'string',
  'gen_ai.prompt.name': 'string',
  'gen_ai.prompt.version': 'string',
  'gen_ai.request.choice.count': 'int',
  'gen_ai.request.model': 'string',
  'gen_ai.request.seed': 'int',
  'gen_ai.request.stream': 'boolean',
  'gen_ai.request.top_k': 'int',
  'server.port': 'int',
  'gen_ai.conversation.compacted': 'boolean',
  'gen_ai.request.frequency_penalty': 'double',
  'gen_ai.request.max_tokens': 'int',
  'gen_ai.request.presence_penalty': 'double',
  'gen_ai.request.previous_response.id': 'string',
  'gen_ai.request.reasoning.level': 'string',
  'gen_ai.request.stop_sequences': 'string[]',
  'gen_ai.request.temperature': 'double',
  'gen_ai.request.top_p': 'double',
  'gen_ai.response.finish_reasons': 'string[]',
  'gen_ai.response.id': 'string',
  'gen_ai.response.model': 'string',
  'gen_ai.response.time_to_first_chunk': 'double',
  'gen_ai.usage.audio.cache_read.input_tokens': 'int',
  'gen_ai.usage.audio.input_tokens': 'int',
  'gen_ai.usage.audio.output_tokens': 'int',
  'gen_ai.usage.cache_read.input_tokens': 'int',
  'gen_ai.usage.cache_write.input_tokens': 'int',
  'gen_ai.usage.image.cache_read.input_tokens': 'int',
  'gen_ai.usage.image.input_tokens': 'int',
  'gen_ai.usage.image.output_tokens': 'int',
  'gen_ai.usage.input_tokens': 'int',
  'gen_ai.usage.output_tokens': 'int',
  'gen_ai.usage.reasoning.output_tokens': 'int',
  'gen_ai.usage.text.cache_read.input_tokens': 'int',
  'gen_ai.usage.text.input_tokens': 'int',
  'gen_ai.usage.text.output_tokens': 'int',
  'server.address': 'string',
  'gen_ai.input.messages': 'any',
  'gen_ai.output.messages': 'any',
  'gen_ai.system_instructions': 'any',
  'gen_ai.tool.definitions': 'any',
  // Of the convention for HTTP spans.
  'http.response.status_code': 'int',
};

const wellKnown: Readonly<Record<string, readonly string[]>> = {
  'gen_ai.operation.name': ['chat', 'embeddings', 'generate_content', 'text_completion'],
  'gen_ai.output.type': ['image', 'json', 'speech', 'text'],
  'gen_ai.provider.name': [
    'anthropic',
    'aws.bedrock',
    'azure.ai.inference',
    'azure.ai.openai',
    'cohere',
    'deepseek',
    'gcp.gemini',
    'gcp.gen_ai',
    'gcp.vertex_ai',
    'groq',
    'ibm.watsonx.ai',
    'mistral_ai',
    'moonshot_ai',
    'openai',
    'perplexity',
    'x_ai',
  ],
};

const isOf = (value: unknown, type: string): boolean => {
  if (type === 'any') return typeof value === 'string';
  if (type === 'string[]') return Array.isArray(value) && value.every((each) => typeof each === 'string');
  if (type === 'int') return Number.isInteger(value);
  if (type === 'double') return typeof value === 'number';
  return typeof value === type;
};

/** What a span of a call to a model says against the conventions; attributes under `sluice.` are Sluice's own. */
export function conventionProblems(span: Readonly<Record<string, unknown>>): string[] {
  const problems = ['gen_ai.operation.name', 'gen_ai.provider.name', 'gen_ai.request.model']
    .filter((name) => !(name in span))
    .map((name) => `${name} is missing`);
  if ('server.address' in span && !('server.port' in span)) problems.push('server.port is missing');
  for (const [name, value] of Object.entries(span)) {
    if (name.startsWith('sluice.')) continue;
    const type = attributes[name];
    if (type === undefined) problems.push(`${name} is in no convention`);
    else if (!isOf(value, type)) problems.push(`${name} is no ${type}`);
    else if (wellKnown[name]?.includes(String(value)) === false) problems.push(`${name} is ${String(value)}`);
  }
  if (span['gen_ai.request.stream'] === false) problems.push('gen_ai.request.stream is of streams only');
  return problems;
}

const operationSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const tokens = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];
const call = ['gen_ai.operation.name', 'gen_ai.provider.name', 'gen_ai.request.model'];

/** The conventions' histograms of clients that Sluice has: unit, buckets and attributes (docs/gen-ai/client-inference.md, client-embeddings.md). */
const histograms: Readonly<
  Record<string, { readonly unit: 's' | '{token}'; readonly buckets: readonly number[]; readonly attributes: readonly string[] }>
> = {
  'gen_ai.client.inference.duration': { unit: 's', buckets: operationSeconds, attributes: [...call, 'error.type'] },
  'gen_ai.client.inference.time_to_first_chunk': { unit: 's', buckets: operationSeconds, attributes: call },
  'gen_ai.client.inference.operation.input_tokens': { unit: '{token}', buckets: tokens, attributes: call },
  'gen_ai.client.inference.operation.output_tokens': { unit: '{token}', buckets: tokens, attributes: call },
  'gen_ai.client.embeddings.duration': { unit: 's', buckets: operationSeconds, attributes: [...call, 'error.type'] },
  'gen_ai.client.embeddings.operation.input_tokens': { unit: '{token}', buckets: tokens, attributes: call },
  'gen_ai.client.operation.duration': { unit: 's', buckets: operationSeconds, attributes: [...call, 'error.type'] },
};

/** The conventions' histograms as Prometheus names them: dots are underscores, and the unit of seconds ends the name. */
export function conventionHistograms(): { readonly name: string; readonly labels: string[]; readonly buckets: readonly number[] }[] {
  const prometheus = (name: string): string => name.replaceAll('.', '_');
  return Object.entries(histograms).map(([name, { unit, buckets, attributes: labels }]) => ({
    name: `${prometheus(name)}${unit === 's' ? '_seconds' : ''}`,
    labels: labels.map(prometheus),
    buckets,
  }));
}
