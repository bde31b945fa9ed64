import { inspectJson } from '../apis/inspect/patterns.ts';
import type { Trials } from '../experiments/trials.ts';
import { sessionKey } from '../sessions/key.ts';
import type { ReadRequest, RequestContext } from './context.ts';

/** The request with the policy and arms that rollouts and experiments assign to it; unchanged if they assign none. */
export function assigned({ context, exchange, body }: ReadRequest, trials: Trials | null): RequestContext {
  const { id, caller, provider, section, generation } = context;
  if (trials === null || context.routeOff || exchange.operation !== 'generate' || section.mode !== 'enabled' || !trials.active(generation))
    return context;
  const session = sessionKey(caller.workspace, context.sessionName, exchange, body, caller.trust?.believesBody('session'))?.key ?? null;
  const found = trials.assign({ id, workspace: caller.workspace, provider: provider.name, session }, generation);
  if (found === null) return context;
  const inArm = found.section ?? found.generation.section(caller.workspace, provider.name);
  const patterns = inArm.sensitivity.map(({ pattern }) => pattern);
  return {
    ...context,
    generation: found.generation,
    provider: found.generation.providers.get(provider.name) ?? provider,
    section: inArm,
    inspection: inArm.sensitivity === section.sensitivity ? context.inspection : inspectJson(body, patterns),
    forced: found.forced,
    shadow: found.shadow,
    arm: found.arm,
  };
}
