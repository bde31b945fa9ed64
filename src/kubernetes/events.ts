import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { CoreV1Api, CoreV1Event, V1EventSource, V1ObjectMeta, V1ObjectReference, type KubeConfig } from '@kubernetes/client-node';
import { clipped } from '../lib/clipped.ts';
import type { Problem } from '../policy/types.ts';
import { apiFailure, apiStatus } from './client.ts';
import { conflictCodes, type PolicyObject } from './compose.ts';
import { llmPolicies } from './policy-kinds.ts';
import { renderObjectProblems } from './problems.ts';

/** The API server's limit on the message length, in characters. */
const messageLength = 1_024;

/** Events on the objects that hold a policy. The same message makes one Event, however many replicas send it. */
export class PolicyEvents {
  readonly #api: CoreV1Api;
  readonly #onError: (failure: string) => void;

  constructor(config: KubeConfig, onError: (failure: string) => void) {
    this.#api = config.makeApiClient(CoreV1Api);
    this.#onError = onError;
  }

  /** Reports an object's problems on it, and whether an older version is in force. Never rejects. */
  async refused(object: PolicyObject, state: 'last-good' | 'left-out', problems: readonly Problem[]): Promise<void> {
    const holds = state === 'last-good' ? 'The last good version stays in force.' : 'It is not in force.';
    const details = renderObjectProblems(object, problems);
    const reason = problems.some(({ code }) => conflictCodes.has(code)) ? 'PolicyConflict' : 'PolicyRefused';
    await this.#say(object, { type: 'Warning', reason, message: clipped(`Refused. ${holds} ${details}`, messageLength) });
  }

  /** Reports on the object that this version is in force. `replicas`: `2/2`. Never rejects. */
  async inForce(object: PolicyObject, hash: string, replicas: string): Promise<void> {
    await this.#say(object, {
      type: 'Normal',
      reason: 'PolicyInForce',
      message: `In force as part of policy ${hash} on ${replicas} replicas.`,
    });
  }

  async #say(
    { kind, namespace, name, uid, resourceVersion }: PolicyObject,
    { type, reason, message }: { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string },
  ): Promise<void> {
    const now = new Date();
    // A name derived from version and message: further replicas get 409 and stop.
    const digest = createHash('sha256').update(`${uid} ${resourceVersion} ${message}`).digest('hex').slice(0, 16);
    try {
      await this.#api.createNamespacedEvent({
        namespace,
        body: Object.assign(new CoreV1Event(), {
          metadata: Object.assign(new V1ObjectMeta(), { name: `${name.slice(0, 200)}.${digest}`, namespace }),
          involvedObject: Object.assign(new V1ObjectReference(), {
            apiVersion: kind === 'ConfigMap' ? 'v1' : `${llmPolicies.group}/${llmPolicies.version}`,
            kind,
            namespace,
            name,
            uid,
            resourceVersion,
          }),
          type,
          reason,
          message,
          firstTimestamp: now,
          lastTimestamp: now,
          count: 1,
          source: Object.assign(new V1EventSource(), { component: 'sluice' }),
          reportingComponent: 'sluice',
          reportingInstance: hostname(),
        }),
      });
    } catch (error) {
      if (apiStatus(error) !== 409) this.#onError(apiFailure(error));
    }
  }
}
