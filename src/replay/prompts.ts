import { createReadStream, statSync } from 'node:fs';
import { readExchange } from '../apis/index.ts';
import { recognise } from '../apis/recognise.ts';
import type { ParsedRequest } from '../apis/types.ts';
import { readCorpus } from '../classify/text/corpus.ts';
import { SluiceError } from '../lib/errors.ts';
import { linesOfFile } from '../lib/lines.ts';

/** A prompt as an app would send it. */
export interface PromptRequest {
  readonly exchange: ParsedRequest;
  readonly body: Buffer;
}

/**
 * Prompts of a file of JSON lines, each with `prompt` (and `system`) or `messages`, and `model` if it is not `requested`; or of a folder of
 * labelled prompts, like data/prompts. They are treated as requests to OpenAI's chat API. Throws SluiceError SLUICE_ROWS_INVALID, naming
 * the line.
 */
export async function promptsOf(file: string, requested: string): Promise<PromptRequest[]> {
  const found: PromptRequest[] = [];
  if (isFolder(file)) {
    for (const { prompt, system, group, line } of readCorpus(file))
      found.push(requestOf({ prompt, system }, requested, `${group}:${line}`));
    return found;
  }
  let at = 0;
  for await (const line of linesOfFile(file)) {
    at++;
    if (line.trim() !== '') found.push(requestOf(parsed(line, `${file}:${at}`), requested, `${file}:${at}`));
  }
  return found;
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

function parsed(line: string, where: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new SluiceError('SLUICE_ROWS_INVALID', 'This line is not JSON.', { where, cause: error });
  }
}

function requestOf(row: Readonly<Record<string, unknown>>, requested: string, where: string): PromptRequest {
  const { prompt, system, messages } = row;
  if (typeof prompt !== 'string' && !Array.isArray(messages))
    throw new SluiceError('SLUICE_ROWS_INVALID', 'a row needs prompt or messages.', { where });
  const turns =
    typeof prompt === 'string'
      ? [...(typeof system === 'string' && system !== '' ? [{ role: 'system', content: system }] : []), { role: 'user', content: prompt }]
      : messages;
  const body = Buffer.from(JSON.stringify({ model: typeof row['model'] === 'string' ? row['model'] : requested, messages: turns }));
  const recognition = recognise(
    {
      method: 'POST',
      path: '/v1/chat/completions',
      authority: 'api.openai.com',
      contentType: 'application/json',
      contentEncoding: '',
      contentLength: body.length,
      upgrade: false,
    },
    'openai',
  );
  const read = recognition.kind === 'readable' ? readExchange(recognition, body) : null;
  if (read?.ok !== true) throw new SluiceError('SLUICE_ROWS_INVALID', 'the row makes no request that can be read.', { where });
  return { exchange: read.exchange, body };
}

/** Whether a path holds prompts rather than records or a ledger: a folder, or JSON lines whose first has `prompt` or `messages`. */
export async function holdsPrompts(file: string): Promise<boolean> {
  if (isFolder(file)) return true;
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return false;
  const stream = createReadStream(file, { end: firstBytes });
  let head = '';
  for await (const chunk of stream) head += (chunk as Buffer).toString('latin1');
  return head.startsWith('{') && /^[^\n]*"(?:prompt|messages)"\s*:/.test(head) && !/^[^\n]*"decision"\s*:/.test(head);
}

/** Bytes read from a file to detect its kind. */
const firstBytes = 64 * 1024;
