import { count, empty, json, pieces, sse, type SimulatedAnswer, type SimulatedCall, type Simulation } from '../common/simulation.ts';
import { dataEvent } from '../common/event-text.ts';

function content(model: string, method: string, asSse: boolean, body: Buffer): SimulatedAnswer {
  const counted = count(body, model);
  if (method === 'countTokens') return json(200, { totalTokens: counted.input });
  const usageMetadata = {
    promptTokenCount: counted.input,
    cachedContentTokenCount: counted.cached,
    candidatesTokenCount: counted.output,
    thoughtsTokenCount: counted.reasoning,
    totalTokenCount: counted.input + counted.output + counted.reasoning,
    promptTokensDetails: [{ modality: 'TEXT', tokenCount: counted.input }],
  };
  const chunk = (text: string, last: boolean): object => ({
    candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, ...(last ? { finishReason: 'STOP' } : {}) }],
    ...(last ? { usageMetadata } : { usageMetadata: { promptTokenCount: counted.input, totalTokenCount: counted.input } }),
    modelVersion: model,
    responseId: counted.id,
  });
  if (method !== 'streamGenerateContent') return json(200, chunk(counted.text, true));
  const parts = pieces(counted.text);
  const chunks = parts.map((part, index) => chunk(part, index === parts.length - 1));
  if (asSse) return sse(chunks.map(dataEvent));
  return {
    status: 200,
    contentType: 'application/json',
    events: chunks.map((value, index) => `${index === 0 ? '[' : ','}${JSON.stringify(value)}${index === chunks.length - 1 ? ']' : ''}\n`),
    body: empty,
  };
}

function answer({ path, query, body }: SimulatedCall): SimulatedAnswer | null {
  const call = /\/models\/([^/:]+):(\w+)$/.exec(path);
  return call === null ? null : content(decodeURIComponent(call[1]!), call[2]!, query.get('alt') === 'sse', body);
}

function error(status: number, message: string): object {
  return { error: { code: status, message, status: status === 429 ? 'RESOURCE_EXHAUSTED' : 'UNAVAILABLE' } };
}

/** Gemini's API. */
export const geminiSimulation: Simulation = { answer, error };
