import { setTimeout as sleep } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { SluiceError } from '../lib/errors.ts';
import { messageOf } from '../lib/message-of.ts';

/**
 * Finds the API server and our identity: `$KUBECONFIG`, `~/.kube/config`, or the pod's service account. Throws SLUICE_KUBERNETES if none is
 * available.
 */
export function loadKubeConfig(context?: string): KubeConfig {
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
    if (context !== undefined) {
      if (config.getContextObject(context) === null)
        throw new Error(
          `there is no context ${context}; known: ${config
            .getContexts()
            .map(({ name }) => name)
            .join(', ')}.`,
        );
      config.setCurrentContext(context);
    }
  } catch (error) {
    throw new SluiceError('SLUICE_KUBERNETES', sentence(error), { cause: error });
  }
  // Without a configuration, the library defaults to a cluster on this machine.
  const cluster = config.getCurrentCluster();
  if (cluster === null || (cluster.name === 'cluster' && cluster.server === 'http://localhost:8080'))
    throw new SluiceError('SLUICE_KUBERNETES', 'no cluster is configured.');
  return config;
}

/** Why an API call failed, in one line: the server's own message if it sent one. */
export function apiFailure(error: unknown): string {
  const { code, statusCode, body } = error as { code?: unknown; statusCode?: unknown; body?: unknown };
  const status = typeof code === 'number' ? code : typeof statusCode === 'number' ? statusCode : null;
  const message = typeof body === 'string' ? (/"message":"((?:[^"\\]|\\.)*)"/.exec(body)?.[1]?.replaceAll('\\"', '"') ?? null) : null;
  const cause = error instanceof Error && error.cause instanceof Error && error.cause.message !== '' ? `: ${error.cause.message}` : '';
  const text = message ?? `${error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error)}${cause}`;
  return status === null ? text : `${status} ${text}`;
}

/** HTTP status of a failed API call; null without a response. */
export function apiStatus(error: unknown): number | null {
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  return typeof code === 'number' ? code : typeof statusCode === 'number' ? statusCode : null;
}

/** Most attempts at one write, while other replicas write the same object. */
const mostTries = 20;

/**
 * `write` reads an object, changes it and writes it back: again, after a short wait, as long as another replica wrote in between. Rejects
 * with the last failure.
 */
export async function despiteConflicts<Written>(write: () => Promise<Written>): Promise<Written> {
  for (let tries = 1; ; tries++) {
    try {
      return await write();
    } catch (error) {
      if (apiStatus(error) !== 409 || tries === mostTries) throw error;
      await sleep(20 + Math.random() * 200);
    }
  }
}

/** Rejects if the promise takes longer. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T> {
  const cancel = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(ms, undefined, { signal: cancel.signal }).then(() => {
        throw new Error(`no answer within ${ms / 1000} s`);
      }),
    ]);
  } finally {
    cancel.abort();
  }
}

function sentence(error: unknown): string {
  const text = messageOf(error);
  return text.endsWith('.') ? text : `${text}.`;
}
