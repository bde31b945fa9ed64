import { dryRun } from '../exchange/dry-run.ts';
import type { Ground } from './ground.ts';
import type { PolicyParts } from './policy.ts';
import type { ServiceParts } from './services.ts';

const body = Buffer.from('{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}');
const headers = new Map([
  [':method', 'POST'],
  [':path', '/v1/chat/completions'],
  [':authority', 'api.openai.com'],
  ['content-type', 'application/json'],
  ['content-length', String(body.length)],
]);

/**
 * Decides a request that nobody sent, before Envoy can send one: the first decision loads and compiles what the later ones use. It takes 120
 * ms of a free core, and those after it 1 to 2. On a busy machine the first requests would be let through undecided meanwhile.
 */
export async function warmUp({
  policy,
  credentials,
  router,
}: Pick<Ground & PolicyParts & ServiceParts, 'policy' | 'credentials' | 'router'>): Promise<void> {
  try {
    await dryRun({ generation: policy.current(), credentials, router, headers, body });
  } catch {
    // A request that was sent will meet the same error and report it.
  }
}
