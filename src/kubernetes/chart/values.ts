import { z } from 'zod';
import { networkValues } from './network-values.ts';
import { flag, image, labels, object, objects, port, probes, resources, text } from './parts.ts';
import { podValues } from './pod-values.ts';
import { stateValues } from './state-values.ts';

/** Every value of the chart: values.yaml, values.schema.json, files/defaults.json and the table of the chart's README are generated from this table. */
export const chartValues = z.strictObject({
  shape: z
    .enum(['gateway', 'sidecar', 'extension'])
    .default('gateway')
    .describe(
      'gateway: Envoy and Sluice in a pod behind a Service. sidecar: both in the pods of the apps, put there by a webhook. extension: Sluice alone, for a mesh or gateway that exists',
    ),
  nameOverride: text('', "Part of every object's name; empty: sluice"),
  fullnameOverride: text('', "Every object's name; empty: made of the release's name"),
  image: image('sluice', '', 'Sluice, as you built and pushed it'),
  imagePullSecrets: z
    .array(z.strictObject({ name: z.string() }))
    .default([])
    .describe('Names of Secrets'),
  ...stateValues,
  ...networkValues,
  envoy: z
    .strictObject({
      image: image('envoyproxy/envoy', 'distroless-v1.40.0', 'Envoy'),
      version: z.string().default('1.40').describe('Version of that image, which the config is written for: 1.36 to 1.40'),
      resources: resources({ cpu: '250m', memory: '128Mi' }, { memory: '2Gi' }).describe(
        "Envoy's container. Its limit of memory bounds Envoy's heap, its connections and the bodies that it takes at once",
      ),
      concurrency: z.int().min(0).default(2).describe('Worker threads; 0: one a core'),
      logLevel: z.enum(['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off']).default('warning').describe("Envoy's log"),
      port: port(10_000, "The container's port"),
      statusPort: port(9903, 'Readiness and metrics'),
      caFile: z
        .string()
        .default('/etc/ssl/certs/ca-certificates.crt')
        .describe("CAs that providers' certificates are checked against, in Envoy's image"),
      probes: probes("Fields of Envoy's probes that are to differ"),
      lifecycle: object("In place of Envoy's own, which keeps it until requests have ended"),
      extraArgs: z.array(z.string()).default([]).describe('Further flags of envoy'),
      extraEnv: objects("As in a container; Envoy's"),
      extraVolumeMounts: objects("As in a container; Envoy's"),
    })
    .prefault({})
    .describe('The gateway shape’s Envoy'),
  webhooks: z
    .strictObject({
      policy: flag(false, 'Refuse bad policies at kubectl apply'),
      port: port(9443, 'Where Sluice serves webhooks'),
      timeoutSeconds: z.int().min(1).max(30).default(5).describe('How long the API server waits; then it goes on without an answer'),
      failurePolicy: z
        .strictObject({
          policy: z.enum(['Ignore', 'Fail']).default('Ignore').describe('For policies: Fail refuses edits'),
          pods: z
            .enum(['Ignore', 'Fail'])
            .default('Ignore')
            .describe('For pods: Fail refuses new pods that ask for Sluice; Ignore lets them call their providers directly'),
        })
        .prefault({})
        .describe('What the API server does while no Sluice answers'),
      imagePullSecrets: z
        .array(z.string())
        .default([])
        .describe('Names of Secrets with registry credentials in the namespaces of pods that webhooks give containers to'),
      certificateDays: z
        .int()
        .min(1)
        .max(3_650)
        .default(730)
        .describe(
          'Validity of the certificates that Sluice or cert-manager makes, the one of egress.names among them; they are renewed in time',
        ),
      existingSecret: z.string().default('').describe('Secret with tls.crt and tls.key; empty: Sluice makes them, or cert-manager'),
      caBundle: z
        .string()
        .default('')
        .describe('With existingSecret: PEM of its CA; empty: something else, such as cert-manager, writes it into the webhooks'),
      annotations: labels('On both webhook configurations, for example cert-manager.io/inject-ca-from'),
    })
    .prefault({})
    .describe('What the API server asks Sluice'),
  certManager: z
    .strictObject({
      enabled: flag(false, 'Have cert-manager make the certificates of webhooks and egress.names, in place of Sluice'),
      issuerRef: object('An issuer that exists, whose Secrets have a ca.crt; empty: a CA of the release'),
    })
    .prefault({})
    .describe('cert-manager'),
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
            .describe(
              'Secret with tls.crt and tls.key for the names and the ca.crt that pods are to trust; empty: Sluice makes them, or cert-manager',
            ),
          extraCas: z
            .array(
              z.strictObject({
                configMap: z.string().default(''),
                secret: z.string().default(''),
                key: z.string().min(1).default('ca.crt'),
              }),
            )
            .default([])
            .describe(
              "Your company's own CAs, which pods trust too: {configMap or secret, key} of the release's namespace, such as a bundle of trust-manager. Changes reach new pods",
            ),
        })
        .prefault({})
        .describe('No variable at all'),
      onUninstall: z
        .enum(['warn', 'refuse', 'ignore'])
        .default('warn')
        .describe(
          'helm uninstall first lists the pods that webhooks of this release have changed and that run: warn says which, refuse keeps the release while there are any, ignore asks nobody. Shape sidecar too',
        ),
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
      envoyResources: resources({ cpu: '50m', memory: '64Mi' }, { memory: '512Mi' }).describe(
        "Envoy's container in the app's pod. Its limit bounds bodies, connections and what is read at once",
      ),
    })
    .prefault({})
    .describe('sidecar: what goes into the apps’ pods'),
  ...podValues,
});
