import { z } from 'zod';
import type { HeaderMap } from '../lib/headers.ts';
import { limits } from '../lib/limits.ts';
import type { Credentials } from '../exchange/credentials.ts';
import { dryRun } from '../exchange/dry-run.ts';
import type { PipelineOptions } from '../exchange/gateway.ts';
import { PolicyCompiler } from '../policy/compiler.ts';
import type { PolicySnapshot, Problem } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import { explainRecord } from '../route/explain.ts';

const request = z.strictObject({
  /** Path on the gateway. */
  path: z.string().startsWith('/').max(2_000).default('/v1/chat/completions'),
  host: z.string().max(300).default('localhost'),
  headers: z.record(z.string().max(200), z.string().max(4_000)).default({}),
  /** The request as JSON text. */
  body: z.string().max(limits.tryBodyUnits),
  /** An edited policy to compare with the one in force: its files, in order. */
  policy: z
    .array(z.strictObject({ name: z.string().max(1_000), text: z.string().max(limits.policyBytes) }))
    .max(limits.policyObjects)
    .optional(),
});

type TryOutcome =
  | { readonly kind: 'decided'; readonly text: string; readonly record: ExchangeRecord }
  | { readonly kind: 'passed'; readonly reason: string }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] };

export interface TryResult {
  readonly running: TryOutcome;
  /** Null if no edited policy was sent. */
  readonly edited: TryOutcome | null;
}

export interface TryServices {
  readonly credentials: Credentials;
  readonly router: PipelineOptions['router'];
}

/**
 * Decides a request by the policy in force, and by an edited one. Nothing is sent or stored. Returns a string if the question is invalid.
 */
export async function tryRequest(input: string, generation: PolicySnapshot, services: TryServices): Promise<TryResult | string> {
  let json: unknown;
  try {
    json = JSON.parse(input);
  } catch {
    return 'The body is no JSON.';
  }
  const parsed = request.safeParse(json);
  if (!parsed.success) return z.prettifyError(parsed.error);
  const { policy, ...asked } = parsed.data;
  const body = Buffer.from(asked.body);
  const headers = headerMap({
    ...asked.headers,
    ':method': 'POST',
    ':path': asked.path,
    ':authority': asked.host,
    'content-type': 'application/json',
    'content-length': String(body.length),
  });
  const outcome = async (by: PolicySnapshot): Promise<TryOutcome> => {
    const { record, passed } = await dryRun({ generation: by, ...services, headers, body });
    // A request that passes without a decision has a record where it counts in a budget or limit.
    if (record === null || record.passReason !== null) return { kind: 'passed', reason: record?.passReason ?? passed };
    return { kind: 'decided', text: explainRecord(record), record };
  };
  const running = await outcome(generation);
  if (policy === undefined) return { running, edited: null };
  const compiler = new PolicyCompiler();
  const { generation: compiled, problems } = await compiler.compile(policy, { catalog: generation.catalog, inOrder: true });
  compiler.close();
  return { running, edited: compiled === null ? { kind: 'refused', problems } : await outcome(compiled) };
}

function headerMap(headers: Readonly<Record<string, string>>): HeaderMap {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return { get: (name) => lower.get(name), entries: () => lower.entries() };
}
