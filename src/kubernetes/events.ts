import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { CoreV1Api, CoreV1Event, V1EventSource, V1ObjectMeta, V1ObjectReference, type KubeConfig } from '@kubernetes/client-node';
import { renderProblems } from '../policy/store.ts';
import type { Problem } from '../policy/types.ts';
import { apiFailure, apiStatus } from './client.ts';
import { conflictCodes, type PolicyConfigMap } from './compose.ts';

/** The API server's limit on the message length, in characters. */
const messageLength = 1_024;

/** Events on ConfigMaps with a policy. The same message makes one Event, however many replicas send it. */
export class PolicyEvents {
  readonly #api: CoreV1Api;
  readonly #onError: (failure: string) => void;

  constructor(config: KubeConfig, onError: (failure: string) => void) {
    this.#api = config.makeApiClient(CoreV1Api);
    this.#onError = onError;
  }

  /** Reports a ConfigMap's problems on it, and whether an older version is in force. Never rejects. */
  async refused(configMap: PolicyConfigMap, state: 'last-good' | 'left-out', problems: readonly Problem[]): Promise<void> {
    const { namespace, name } = configMap;
    const holds = state === 'last-good' ? 'The last good version stays in force.' : 'It is not in force.';
    const details = renderProblems(problems).replaceAll(`${namespace}/${name}#`, '');
    const reason = problems.some(({ code }) => conflictCodes.has(code)) ? 'PolicyConflict' : 'PolicyRefused';
    await this.#say(configMap, { type: 'Warning', reason, message: clip(`Refused. ${holds} ${details}`) });
  }

  /** Reports on the ConfigMap that this version is in force. `replicas`: `2/2`. Never rejects. */
  async inForce(configMap: PolicyConfigMap, hash: string, replicas: string): Promise<void> {
    await this.#say(configMap, {
      type: 'Normal',
      reason: 'PolicyInForce',
      message: `In force as part of policy ${hash} on ${replicas} replicas.`,
    });
  }

  async #say(
    { namespace, name, uid, resourceVersion }: PolicyConfigMap,
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
            apiVersion: 'v1',
            kind: 'ConfigMap',
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

function clip(text: string): string {
  return text.length <= messageLength ? text : `${text.slice(0, messageLength - 1)}…`;
}
