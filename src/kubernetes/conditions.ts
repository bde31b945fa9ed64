import { CustomObjectsApi, PatchStrategy, setHeaderOptions, type KubeConfig } from '@kubernetes/client-node';
import { clipped } from '../lib/clipped.ts';
import { apiFailure, apiStatus, despiteConflicts } from './client.ts';
import { conflictCodes } from './compose.ts';
import { llmPolicies } from './policy-kinds.ts';
import { renderObjectProblems } from './problems.ts';
import type { Rollout, StatusSource } from './policy-status.ts';

/** One of `status.conditions`, without the time at which it changed. */
interface Condition {
  readonly type: 'Accepted' | 'Programmed';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
}

export interface LlmPolicyStatus {
  readonly observedGeneration: number;
  /** The resourceVersion with which this generation was first seen. */
  readonly version: string;
  readonly hash: string;
  readonly replicas: string;
  readonly conditions: readonly Condition[];
}

type WrittenStatus = Partial<Omit<LlmPolicyStatus, 'conditions'>> & {
  readonly conditions?: readonly (Condition & { readonly lastTransitionTime?: string })[];
};

/** The API server's limit on a condition's message, in characters. */
const messageLength = 32_768;

/** What an LLMPolicy's status says. Accepted: its `spec` is right beside the other policies. Programmed: every replica has it in force. */
function statusOf({ object, state, problems }: StatusSource, { hash, replicas, everywhere }: Rollout): LlmPolicyStatus {
  const observedGeneration = object.generation ?? 0;
  const good = state === 'in-force';
  const errors = problems.filter(({ level }) => level === 'error');
  const kept = state === 'last-good' ? 'The last good version stays in force.' : 'It is not in force.';
  const refusal = errors.some(({ code }) => conflictCodes.has(code)) ? 'Conflict' : 'Invalid';
  const accepted: Condition = good
    ? {
        type: 'Accepted',
        status: 'True',
        reason: 'Accepted',
        message: clipped(renderObjectProblems(object, problems), messageLength),
        observedGeneration,
      }
    : {
        type: 'Accepted',
        status: 'False',
        reason: errors.length === 0 ? 'Pending' : refusal,
        message: clipped(`${kept} ${renderObjectProblems(object, errors)}`.trim(), messageLength),
        observedGeneration,
      };
  const programmed: Condition = {
    type: 'Programmed',
    status: good && everywhere ? 'True' : 'False',
    reason: good ? (everywhere ? 'InForce' : 'Pending') : state === 'last-good' ? 'LastGood' : 'NotInForce',
    message: good ? `In force as part of policy ${hash} on ${replicas} replicas.` : kept,
    observedGeneration,
  };
  return { observedGeneration, version: object.resourceVersion, hash, replicas, conditions: [accepted, programmed] };
}

/** Writes the status of LLMPolicies. Several replicas may write the same; a status that is there already is not written again. */
export class PolicyConditions {
  readonly #api: CustomObjectsApi;
  readonly #onError: (failure: string) => void;
  /** What each object was last found or made to say, by its uid. */
  readonly #said = new Map<string, string>();
  #failed = false;

  constructor(config: KubeConfig, onError: (failure: string) => void) {
    this.#api = config.makeApiClient(CustomObjectsApi);
    this.#onError = onError;
  }

  /** Never rejects. */
  async write(sources: readonly StatusSource[], rollout: Rollout): Promise<void> {
    const own = sources.filter(({ object }) => object.kind === 'LLMPolicy');
    const there = new Set(own.map(({ object }) => object.uid));
    for (const uid of this.#said.keys()) if (!there.has(uid)) this.#said.delete(uid);
    for (const source of own) await this.#try(source, statusOf(source, rollout));
  }

  async #try({ object: { namespace, name, uid } }: StatusSource, wanted: LlmPolicyStatus): Promise<void> {
    const text = JSON.stringify(wanted);
    if (this.#said.get(uid) === text) return;
    try {
      await despiteConflicts(() => this.#write(namespace, name, uid, wanted));
      this.#said.set(uid, text);
      this.#failed = false;
    } catch (error) {
      // Deleted meanwhile, or written by others all the time: the next report says it.
      if (apiStatus(error) === 404 || apiStatus(error) === 409) return;
      // Reported once per series of failures; the next report tries again.
      if (!this.#failed) this.#onError(`${namespace}/${name}: ${apiFailure(error)}`);
      this.#failed = true;
    }
  }

  async #write(namespace: string, name: string, uid: string, wanted: LlmPolicyStatus): Promise<void> {
    const at = { ...llmPolicies, namespace, name };
    const { metadata, status } = (await this.#api.getNamespacedCustomObject(at)) as {
      readonly metadata: { readonly uid: string; readonly generation: number; readonly resourceVersion: string };
      readonly status?: WrittenStatus;
    };
    // A newer one is for the report that has seen it.
    if (metadata.uid !== uid || metadata.generation !== wanted.observedGeneration || sameStatus(status, wanted)) return;
    const conditions = wanted.conditions.map((condition) => ({ ...condition, lastTransitionTime: since(condition, status) }));
    const body = { metadata: { resourceVersion: metadata.resourceVersion }, status: { ...wanted, conditions } };
    await this.#api.patchNamespacedCustomObjectStatus({ ...at, body }, setHeaderOptions('Content-Type', PatchStrategy.MergePatch));
  }
}

/** When a condition came to its present status. */
function since({ type, status }: Condition, before: WrittenStatus | undefined): string {
  const last = before?.conditions?.find((each) => each.type === type);
  return last?.status === status && last.lastTransitionTime !== undefined
    ? last.lastTransitionTime
    : new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

function sameStatus(written: WrittenStatus | undefined, wanted: LlmPolicyStatus): boolean {
  const text = (status: WrittenStatus): string =>
    JSON.stringify([
      status.observedGeneration,
      status.version,
      status.hash,
      status.replicas,
      status.conditions?.map((each) => [each.type, each.status, each.reason, each.message, each.observedGeneration]),
    ]);
  return written !== undefined && text(written) === text(wanted);
}
