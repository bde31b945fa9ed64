import { z } from 'zod';
import { readExchange, recogniseByPath } from '../apis/index.ts';
import type { ParsedRequest } from '../apis/types.ts';
import { domains, taskTypes, tiers } from '../classify/types.ts';
import { SluiceError } from '../lib/errors.ts';
import { parseLine } from '../router/training/rows.ts';

const text = z.string();
const rowSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  prompt: text.optional(),
  system: text.optional(),
  expected_tier: z.enum(tiers).optional(),
  task: z.enum(taskTypes as [string, ...string[]]).optional(),
  domain: z.enum(domains as [string, ...string[]]).optional(),
});
/** A row of JSON lines: a prompt or a request, and labels if it has some. */
export type PromptRow = z.infer<typeof rowSchema>;

/** Parses a line; `labelled`: unknown labels are errors, otherwise they are ignored. Throws SLUICE_ROWS_INVALID. */
export function rowOf(line: string, where: string, labelled: boolean): PromptRow {
  const parsed = rowSchema.safeParse(parseLine(line, where));
  if (parsed.success) return parsed.data;
  // A row's own `task` may have another meaning if no comparison was requested.
  const lax = labelled ? null : rowSchema.omit({ expected_tier: true, task: true, domain: true }).safeParse(parseLine(line, where));
  if (lax?.success === true) return { ...lax.data, expected_tier: undefined, task: undefined, domain: undefined };
  const [issue] = parsed.error.issues;
  throw new SluiceError('SLUICE_ROWS_INVALID', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'does not fit'}.`, { where });
}

/** Parses the row as the server would. Throws SLUICE_ROWS_INVALID. */
export function exchangeOf(row: PromptRow, where: string): ParsedRequest {
  const { path, body } = requestOf(row);
  const bytes = Buffer.from(JSON.stringify(body));
  const recognition = recogniseByPath({
    method: 'POST',
    path,
    authority: '',
    contentType: 'application/json',
    contentEncoding: '',
    contentLength: bytes.length,
    upgrade: false,
  });
  const read = recognition.kind === 'readable' ? readExchange(recognition, bytes) : null;
  if (read?.ok === true) return read.exchange;
  throw new SluiceError('SLUICE_ROWS_INVALID', 'this row is neither a prompt nor a request that Sluice reads.', {
    where,
    fix: 'Rows have "prompt", or are bodies of requests: "messages", "input" or "contents".',
  });
}

/** Members of a row that do not belong to a request. */
const ownMembers: ReadonlySet<string> = new Set(['id', 'prompt', 'system', 'expected_tier', 'task', 'domain', 'path']);

function requestOf(row: PromptRow): { readonly path: string; readonly body: object } {
  const { prompt, system } = row;
  const rest: Record<string, unknown> = Object.fromEntries(Object.entries(row).filter(([name]) => !ownMembers.has(name)));
  const nested = rest['request'] ?? rest['body'];
  const body: Record<string, unknown> = typeof nested === 'object' && nested !== null ? { ...nested } : rest;
  const named = typeof row['path'] === 'string' ? row['path'] : null;
  const model = { model: 'any', ...body };
  if ('contents' in body) return { path: named ?? '/v1beta/models/any:generateContent', body };
  if ('messages' in body)
    return {
      path: named ?? (system !== undefined || 'system' in body ? '/v1/messages' : '/v1/chat/completions'),
      body: system === undefined ? model : { ...model, system },
    };
  if ('input' in body) return { path: named ?? '/v1/responses', body: model };
  const messages = [...(system === undefined ? [] : [{ role: 'system', content: system }]), { role: 'user', content: prompt ?? '' }];
  return prompt === undefined ? { path: named ?? '/', body } : { path: '/v1/chat/completions', body: { model: 'any', messages } };
}
