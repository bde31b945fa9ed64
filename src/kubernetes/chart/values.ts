import { z } from 'zod';

const resources = (requests: Record<string, string>, limits: Record<string, string>) => z.looseObject({}).default({ requests, limits });

const labels = (what: string) => z.record(z.string(), z.string()).default({}).describe(what);
const port = (number: number, what: string) => z.int().min(1).max(65_535).default(number).describe(what);
const seconds = (number: number, what: string) => z.int().min(1).max(86_400).default(number).describe(what);
const flag = (on: boolean, what: string) => z.boolean().default(on).describe(what);

const image = (repository: string, tag: string, what: string) =>
  z
    .strictObject({
      repository: z.string().default(repository).describe('Registry and name'),
      tag: z
        .string()
        .default(tag)
        .describe(tag === '' ? "Tag; empty: the chart's app version" : 'Tag'),
      digest: z
        .string()
        .regex(/^(sha256:[0-9a-f]{64})?$/)
        .default('')
        .describe('sha256:…; wins over the tag'),
      pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent').describe('When the node pulls it'),
    })
    .prefault({})
    .describe(what);

const redis = (what: string) =>
  z
    .strictObject({
      secret: z.string().default('').describe('Secret that holds its URL; empty: none'),
      key: z.string().default('url').describe("The URL's key in it"),
    })
    .prefault({})
    .describe(what);

/** Every value of the chart: values.yaml, values.schema.json and docs/helm-values.md are made from this table. */
export const chartValues = z.strictObject({
  shape: z
    .enum(['gateway', 'sidecar', 'extension'])
    .default('gateway')
    .describe(
      'gateway: Envoy and Sluice in a pod behind a Service. sidecar: both in the pods of the apps, put there by a webhook. extension: Sluice alone, for a mesh or gateway that exists',
    ),
  nameOverride: z.string().default('').describe("Part of every object's name; empty: sluice"),
  fullnameOverride: z.string().default('').describe("Every object's name; empty: made of the release's name"),
  image: image('sluice', '', 'Sluice, as you built and pushed it'),
  imagePullSecrets: z
    .array(z.strictObject({ name: z.string() }))
    .default([])
    .describe('Names of Secrets'),
  replicas: z.int().min(1).default(2).describe('Pods, when autoscaling is off'),
  autoscaling: z
    .strictObject({
      enabled: flag(false, 'A HorizontalPodAutoscaler in place of replicas'),
      minReplicas: z.int().min(1).default(2).describe('Fewest pods'),
      maxReplicas: z.int().min(1).default(10).describe('Most pods'),
      targetCPUUtilizationPercentage: z.int().min(1).max(100).default(70).describe('Share of the CPU request'),
    })
    .prefault({})
    .describe('Scaling by CPU'),
  podDisruptionBudget: z
    .strictObject({
      enabled: flag(true, 'Made when there is more than one replica'),
      maxUnavailable: z
        .union([z.int().min(0), z.string()])
        .default(1)
        .describe('Pods that may be away at once'),
    })
    .prefault({})
    .describe('For drains of nodes'),
  resources: resources({ cpu: '250m', memory: '256Mi' }, { memory: '768Mi' }).describe("Sluice's container"),
  nodeSelector: labels('Nodes that may run it'),
  tolerations: z.array(z.looseObject({})).default([]).describe('As in a pod'),
  affinity: z.looseObject({}).default({}).describe('As in a pod'),
  topologySpread: z
    .strictObject({
      enabled: flag(true, 'Spread over zones and nodes'),
      whenUnsatisfiable: z.enum(['ScheduleAnyway', 'DoNotSchedule']).default('ScheduleAnyway').describe('When that cannot be had'),
    })
    .prefault({})
    .describe('Where pods stand'),
  priorityClassName: z.string().default('').describe('As in a pod'),
  podAnnotations: labels('On every pod'),
  podLabels: labels('On every pod'),
  serviceAccount: z
    .strictObject({
      create: flag(true, 'Make one'),
      name: z.string().default('').describe("Its name; empty: the release's"),
      annotations: labels('For example for a cloud identity'),
    })
    .prefault({})
    .describe('Who the pods are'),
  policy: z
    .strictObject({
      inline: z
        .string()
        .default('')
        .describe('A policy as text; the chart makes a labelled ConfigMap of it. Empty: you write ConfigMaps yourself'),
      namespaces: z
        .array(z.string())
        .default([])
        .describe("Namespaces whose labelled ConfigMaps are the policy, in order of precedence; the release's own is always first"),
      trusted: z
        .array(z.string())
        .default([])
        .describe(
          "Those of them whose ConfigMaps may write everything, beside the release's own; others write what policy.delegations lets them",
        ),
      allNamespaces: flag(false, 'Watch all namespaces; needs a ClusterRole'),
      failClosed: flag(
        false,
        'The policy has failClosed: a pod whose Sluice does not answer takes no requests. Otherwise Envoy goes on without Sluice, and only start-up and liveness of the sluice container are probed',
      ),
      selector: z.string().default('sluice.dev/policy=true').describe('Label selector of those ConfigMaps'),
      mounted: z
        .string()
        .default('')
        .describe(
          'A ConfigMap of the release’s namespace that is mounted and read as files, in place of those that are watched: no rights at the API server, edits take up to a minute',
        ),
      url: z
        .strictObject({
          address: z
            .string()
            .default('')
            .describe(
              'Where the policy is read, in place of ConfigMaps; with {workspace} or {provider} in it: what holds for each, on top of them',
            ),
          ttlSeconds: seconds(60, 'How long an answer holds that does not say'),
          tokenSecret: z.string().default('').describe('Secret whose key token is sent as a bearer token; empty: none'),
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
  ledger: z
    .strictObject({
      enabled: flag(false, "Keep every record in a ledger on the pod's own disk; it goes with the pod"),
      size: z.string().default('2Gi').describe('Most that it may take'),
    })
    .prefault({})
    .describe('Records beyond log and metrics'),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').describe("Sluice's log"),
  extraArgs: z.array(z.string()).default([]).describe('Further flags of sluice serve'),
  extraEnv: z.array(z.looseObject({})).default([]).describe('As in a container'),
  ports: z
    .strictObject({
      extProc: port(9000, 'extension: where Envoys call Sluice'),
      admin: port(9901, "Sluice's metrics, health and decisions"),
    })
    .prefault({})
    .describe("Sluice's ports"),
  service: z
    .strictObject({
      type: z.enum(['ClusterIP', 'LoadBalancer', 'NodePort']).default('ClusterIP').describe('As in a Service'),
      port: port(80, 'gateway: where apps call'),
      annotations: labels('On the Service'),
    })
    .prefault({})
    .describe('What apps call'),
  envoy: z
    .strictObject({
      image: image('envoyproxy/envoy', 'distroless-v1.40.0', 'Envoy'),
      version: z.string().default('1.40').describe('Version of that image, which the config is written for: 1.36 to 1.40'),
      resources: resources({ cpu: '250m', memory: '128Mi' }, { memory: '1Gi' }).describe("Envoy's container"),
      concurrency: z.int().min(0).default(2).describe('Worker threads; 0: one a core'),
      logLevel: z.enum(['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off']).default('warning').describe("Envoy's log"),
      port: port(10_000, "The container's port"),
      statusPort: port(9903, 'Readiness and metrics'),
      caFile: z
        .string()
        .default('/etc/ssl/certs/ca-certificates.crt')
        .describe("CAs that providers' certificates are checked against, in Envoy's image"),
    })
    .prefault({})
    .describe('The gateway shape’s Envoy'),
  webhooks: z
    .strictObject({
      policy: flag(false, 'Refuse bad policies at kubectl apply'),
      port: port(9443, 'Where Sluice serves webhooks'),
      timeoutSeconds: z.int().min(1).max(30).default(5).describe('How long the API server waits; then it goes on without an answer'),
      certificateDays: z
        .int()
        .min(1)
        .max(36_500)
        .default(730)
        .describe('Validity of certificates that the chart makes, the one of egress.names among them; each helm upgrade renews them'),
      existingSecret: z
        .string()
        .default('')
        .describe('Secret with tls.crt and tls.key, for example of cert-manager; empty: the chart makes one'),
      caBundle: z
        .string()
        .default('')
        .describe('With existingSecret: PEM of its CA; empty: something else, such as cert-manager, writes it into the webhooks'),
      annotations: labels('On both webhook configurations, for example cert-manager.io/inject-ca-from'),
    })
    .prefault({})
    .describe('What the API server asks Sluice'),
  egress: z
    .strictObject({
      baseUrl: flag(
        false,
        "gateway: set the SDKs' base-URL variables in pods with the label sluice.dev/egress=base-url, or of namespaces with it",
      ),
      names: z
        .strictObject({
          enabled: flag(
            false,
            "gateway: have the providers' own names end at the gateway, in pods with the label sluice.dev/egress=names, or of namespaces with it",
          ),
          hosts: z
            .array(z.string())
            .default(['api.openai.com', 'api.anthropic.com', 'generativelanguage.googleapis.com', 'api.mistral.ai', 'api.deepseek.com'])
            .describe('Those names; the policy has providers for them'),
          port: port(10_443, "Envoy's port for them"),
          existingSecret: z
            .string()
            .default('')
            .describe('Secret with tls.crt and tls.key for the names and the ca.crt that pods are to trust; empty: the chart makes one'),
        })
        .prefault({})
        .describe('No variable at all'),
    })
    .prefault({})
    .describe('Egress of pods that were not told'),
  sidecar: z
    .strictObject({
      namespaces: z
        .array(z.string())
        .default([])
        .describe(
          'Namespaces whose pods may have one, by the label sluice.dev/egress=sidecar on the pod or the namespace; their service accounts may read the policy',
        ),
      resources: resources({ cpu: '50m', memory: '160Mi' }, { memory: '512Mi' }).describe("Sluice's container in the app's pod"),
      envoyResources: resources({ cpu: '50m', memory: '64Mi' }, { memory: '512Mi' }).describe("Envoy's container in the app's pod"),
    })
    .prefault({})
    .describe('sidecar: what goes into the apps’ pods'),
  drainSeconds: seconds(25, 'A pod that goes lets open requests and streams end for so long'),
  networkPolicy: z
    .strictObject({
      enabled: flag(false, 'Make one'),
      apps: z.array(z.looseObject({})).default([]).describe('Peers that may call; none: every pod of the cluster'),
      monitoring: z.array(z.looseObject({})).default([]).describe('Peers that may read metrics and decisions; none: pods of the namespace'),
    })
    .prefault({})
    .describe('Who may call'),
  monitoring: z
    .strictObject({
      podMonitor: flag(false, 'A PodMonitor; needs the Prometheus operator'),
      prometheusRule: flag(false, 'Alerts as a PrometheusRule'),
      runbooks: z
        .string()
        .regex(/^https?:\/\/\S+$/)
        .default('http://127.0.0.1:9901/runbooks')
        .describe(
          "Where alerts' runbook_url leads: the runbooks' absolute URL, as you publish them; by default a Sluice behind kubectl port-forward",
        ),
      dashboard: flag(false, 'A Grafana dashboard in a ConfigMap'),
      interval: z
        .string()
        .regex(/^\d+(ms|s|m)$/)
        .default('30s')
        .describe('Between scrapes'),
      labels: labels('On the PodMonitor, the PrometheusRule and the dashboard'),
      dashboardLabels: z.record(z.string(), z.string()).default({ grafana_dashboard: '1' }).describe("What Grafana's sidecar looks for"),
    })
    .prefault({})
    .describe('Prometheus and Grafana'),
  tests: z
    .strictObject({ enabled: flag(true, 'A pod for helm test') })
    .prefault({})
    .describe('helm test'),
});
