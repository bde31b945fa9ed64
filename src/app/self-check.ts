import { X509Certificate } from 'node:crypto';
import { readFile, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { requestPolicyOf } from '../attach/ext-proc.ts';
import type { BudgetStore } from '../budgets/types.ts';
import type { ResponseCache } from '../cache/cache.ts';
import type { SelfFacts } from '../doctor/types.ts';
import type { Credentials } from '../exchange/credentials.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { backendOf } from '../ledger/backends.ts';
import type { LivePolicyStore } from '../policy/types.ts';
import type { SluiceOptions } from './options.ts';
import { messageOf } from '../lib/message-of.ts';

/** The parts of a running server that the self-check inspects. */
export interface SelfCheckParts {
  readonly options: SluiceOptions;
  readonly version: string;
  readonly listen: () => string;
  readonly ready: () => boolean;
  readonly policy: Pick<LivePolicyStore, 'current' | 'lastRefusal'>;
  readonly keptSince: () => string | null;
  readonly credentials: Credentials;
  readonly ledger: Ledger | null;
  readonly cache: ResponseCache;
  readonly budgets: BudgetStore;
}

/** An id that no decision has: looking it up shows whether the ledger answers. */
const nobody = '00000000-0000-7000-8000-000000000000';

/** Longest wait for the ledger's answer, in ms. */
const ledgerMs = 5_000;

/** Gathers the facts for `sluice doctor` inside the server. Never rejects. */
export async function selfFacts({
  options,
  version,
  listen,
  ready,
  policy,
  keptSince,
  credentials,
  ledger,
  cache,
  budgets,
}: SelfCheckParts): Promise<SelfFacts> {
  const generation = policy.current();
  const { redis } = cache.stats();
  return {
    version,
    ready: ready(),
    listen: listen(),
    envoyAdmin: options.envoy?.admin ?? null,
    policy: {
      hash: generation.hash,
      embedded: isEmbedded(options),
      keptSince: keptSince(),
      refused: policy.lastRefusal()?.problems ?? [],
      modes: Object.fromEntries([...generation.providers.keys()].map((name) => [name, generation.section('', name).mode])),
      ...requestPolicyOf(generation),
      providers: [...generation.providers.values()].map((provider) => ({ ...provider, deployments: undefined })),
    },
    keys: credentials.files(),
    ledger: await ledgerFacts(options.ledger.file, ledger),
    redis: [
      ...(redis === 'none' ? [] : [{ use: 'cache' as const, up: redis === 'up' }]),
      ...(budgets.kind === 'redis' ? [{ use: 'budgets' as const, up: budgets.up }] : []),
    ],
    disks: await diskFacts(options),
    certificates: await Promise.all(certificateFiles(options).map(certificateFacts)),
    // Set last: the caller compares it with the time of the answer.
    time: new Date().toISOString(),
  };
}

/** Whether no policy source was given. */
export function isEmbedded({
  policy,
  policyConfigMaps,
  policyUrl,
}: Pick<SluiceOptions, 'policy' | 'policyConfigMaps' | 'policyUrl'>): boolean {
  return policy === null && policyConfigMaps === null && policyUrl === null;
}

async function ledgerFacts(place: string | null, ledger: Ledger | null): Promise<SelfFacts['ledger']> {
  if (place === null) return null;
  const backend = backendOf(place);
  const shown = { place: backend.shown(place), kind: backend.name, shared: backend.shared };
  if (ledger === null) return { ...shown, error: 'it could not be opened', failures: 0, dropped: 0, waiting: 0 };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => (timer = setTimeout(() => resolve(`no answer within ${ledgerMs / 1_000} s`), ledgerMs)));
  const error = await Promise.race([
    ledger.find(nobody).then(
      () => null,
      (reason: unknown) => messageOf(reason),
    ),
    late,
  ]);
  clearTimeout(timer);
  return { ...shown, error, ...ledger.counts };
}

/** The folders that this server writes to, each once. */
async function diskFacts({ ledger, budgets, state, log, policyKept, learningState, envoy }: SluiceOptions): Promise<SelfFacts['disks']> {
  const files = [
    ledger.file === null || backendOf(ledger.file).shared ? null : ledger.file,
    budgets.redis === null ? budgets.file : null,
    state,
    log === '-' ? null : log,
    policyKept,
    learningState,
  ];
  const folders = new Set([
    ...files.filter((file) => file !== null).map((file) => dirname(file)),
    ...(envoy === null ? [] : [envoy.folder]),
  ]);
  return Promise.all(
    [...folders].map(async (path) => {
      try {
        const { bavail, bsize } = await statfs(path);
        return { path, freeBytes: bavail * bsize };
      } catch {
        return { path, freeBytes: null };
      }
    }),
  );
}

function certificateFiles({ envoy, webhook }: SluiceOptions): string[] {
  return [...(envoy?.tls == null ? [] : [join(envoy.tls.folder, 'tls.crt')]), ...(webhook === null ? [] : [join(webhook.tls, 'tls.crt')])];
}

async function certificateFacts(file: string): Promise<SelfFacts['certificates'][number]> {
  try {
    return { file, until: new X509Certificate(await readFile(file)).validToDate.toISOString() };
  } catch {
    return { file, until: null };
  }
}
