import { z } from 'zod';
import { flag, labels, redis, seconds, secretKey, text, texts } from './parts.ts';

/** Values of the policy and of Sluice's stored state. */
export const stateValues = {
  policy: z
    .strictObject({
      inline: text('', 'A policy as text; the chart makes a labelled ConfigMap of it. Empty: you write ConfigMaps yourself'),
      namespaces: texts("Namespaces whose labelled ConfigMaps are the policy, in order of precedence; the release's own is always first"),
      trusted: texts(
        "Those of them whose ConfigMaps may write everything, beside the release's own; others write what policy.delegations lets them",
      ),
      allNamespaces: flag(false, 'Watch all namespaces; needs a ClusterRole'),
      failClosed: flag(
        false,
        'The policy has failClosed: a pod whose Sluice does not answer takes no requests. Otherwise Envoy goes on without Sluice, and only start-up and liveness of the sluice container are probed',
      ),
      selector: text('sluice.dev/policy=true', 'Label selector of those ConfigMaps'),
      llmPolicies: flag(
        false,
        'LLMPolicies of those namespaces are part of the policy too, with or without a label; the chart sluice-crds defines them',
      ),
      mounted: text(
        '',
        'A ConfigMap of the release’s namespace that is mounted and read as files, in place of those that are watched: no rights at the API server, edits take up to a minute',
      ),
      url: z
        .strictObject({
          address: text(
            '',
            'Where the policy is read, in place of ConfigMaps; with {workspace} or {provider} in it: what holds for each, on top of them',
          ),
          ttlSeconds: seconds(60, 'How long an answer holds that does not say'),
          tokenSecret: text('', 'Secret whose key token is sent as a bearer token; empty: none'),
        })
        .prefault({})
        .describe('A policy backend over HTTP'),
    })
    .prefault({})
    .describe('Where the policy is'),
  credentials: z
    .array(z.strictObject({ secret: z.string().min(1) }))
    .default([])
    .describe('Secrets that the policy names files of (keys of providers, URLs): mounted under /etc/sluice/credentials/SECRET/'),
  maskKey: secretKey(
    'key',
    'What tokens for masked data are made with; without it they change with each start and differ between replicas',
  ),
  cache: z
    .strictObject({
      memoryMegabytes: z.int().min(0).default(128).describe('Answers in memory, of sections that cache; part of the memory limit'),
      redis: redis('A Redis behind the memory, shared by replicas'),
    })
    .prefault({})
    .describe('Cached answers'),
  budgets: z
    .strictObject({ redis: redis('A Redis that keeps them for all replicas; without one each replica counts its own') })
    .prefault({})
    .describe('What the policy’s budgets have spent'),
  persistence: z
    .strictObject({
      enabled: flag(
        false,
        'A StatefulSet in place of the Deployment: each pod keeps ledger, budgets, rollouts, learning and the last good policy on a volume of its own',
      ),
      size: text('10Gi', 'Of each volume'),
      storageClass: text('', "Its class; empty: the cluster's default"),
      accessModes: z.array(z.string()).default(['ReadWriteOnce']).describe('As in a PersistentVolumeClaim'),
      annotations: labels('On the claims'),
      whenDeleted: z.enum(['Retain', 'Delete']).default('Retain').describe('The claims, when the release is uninstalled'),
      whenScaled: z.enum(['Retain', 'Delete']).default('Retain').describe('The claims of pods that scaling takes away'),
    })
    .prefault({})
    .describe('Volumes that outlive pods'),
  ledger: z
    .strictObject({
      enabled: flag(
        false,
        "Keep every record in a ledger: on the pod's own disk, where it goes with the pod, or with persistence.enabled on its volume",
      ),
      size: text('2Gi', 'Most that it may take on the pod’s own disk'),
      retentionDays: z.int().min(1).max(36_500).default(30).describe('Days that records stay'),
      key: secretKey('ledger.key', 'PEM of an Ed25519 private key that signs checkpoints'),
      postgres: z
        .strictObject({
          secret: text('', 'Secret that holds its URL, postgres://…; empty: none. It is used in place of a file'),
          key: text('url', "The URL's key in it"),
          passwordKey: text('', "The password's key in it; empty: the URL has it, or there is none"),
        })
        .prefault({})
        .describe('A PostgreSQL that all replicas write to'),
    })
    .prefault({})
    .describe('Records beyond log and metrics'),
  learning: z
    .strictObject({
      keep: flag(true, 'Keep what was learnt from grades: over restarts of the container, or with persistence.enabled for good'),
    })
    .prefault({})
    .describe('What is learnt from grades'),
  catalog: z
    .strictObject({
      configMap: text('', 'A ConfigMap whose key catalog.json is the price catalog; empty: the one that comes with Sluice'),
      source: text('', 'Price list, a URL or a file, that is imported into a catalog of the pod on a schedule; empty: none'),
      intervalHours: z.int().min(1).max(8_760).default(24).describe('Hours between two imports'),
    })
    .prefault({})
    .describe('Prices'),
  otlp: z
    .strictObject({
      endpoint: text('', 'OTLP collector that gets spans, such as http://collector.observability:4318; empty: none'),
      protocol: z.enum(['http/protobuf', 'grpc']).default('http/protobuf').describe('How it is spoken to'),
      headers: secretKey('headers', 'Headers for it, as in OTEL_EXPORTER_OTLP_HEADERS'),
      envoy: text('', 'host:port of a collector (gRPC) that Envoy sends spans of its own to; empty: none'),
    })
    .prefault({})
    .describe('Tracing'),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').describe("Sluice's log"),
};
