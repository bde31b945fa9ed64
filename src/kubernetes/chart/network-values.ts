import { z } from 'zod';
import { flag, labels, object, objects, port, secretKey, text, texts } from './parts.ts';

const route = { enabled: flag(false, 'Make one'), annotations: labels('On it') };

const ingress = (what: string) =>
  z
    .strictObject({
      ...route,
      className: text('', 'As in an Ingress'),
      host: text('', 'Host name; needed'),
      tls: objects('As in an Ingress'),
    })
    .prefault({})
    .describe(what);

const httpRoute = (what: string) =>
  z
    .strictObject({
      ...route,
      parentRefs: objects('Gateways; needed'),
      hostnames: texts('Host names'),
      filters: objects('As in an HTTPRoute, for example for authentication'),
    })
    .prefault({})
    .describe(what);

/** Values of Services, ports, and network access. */
export const networkValues = {
  ports: z
    .strictObject({
      extProc: port(9000, 'extension: where Envoys call Sluice'),
      admin: port(9901, 'The page, decisions, savings, policy'),
      metrics: port(9904, "Sluice's metrics and health"),
    })
    .prefault({})
    .describe("Sluice's ports"),
  ipv6: flag(false, 'Listen on IPv6 addresses too: for clusters with IPv6, alone or beside IPv4'),
  service: z
    .strictObject({
      type: z.enum(['ClusterIP', 'LoadBalancer', 'NodePort']).default('ClusterIP').describe('As in a Service'),
      port: port(80, 'gateway: where apps call'),
      nodePort: z.int().min(0).max(65_535).default(0).describe('With type NodePort or LoadBalancer; 0: Kubernetes chooses'),
      annotations: labels('On the Service'),
      labels: labels('On the Service'),
      clusterIP: text('', 'A fixed address, or None; empty: Kubernetes chooses'),
      loadBalancerClass: text('', 'As in a Service'),
      loadBalancerSourceRanges: texts('As in a Service'),
      externalTrafficPolicy: text('', 'As in a Service'),
      internalTrafficPolicy: text('', 'As in a Service'),
      ipFamilies: texts('As in a Service, for example [IPv4, IPv6]'),
      ipFamilyPolicy: text('', 'As in a Service, for example PreferDualStack'),
      trafficDistribution: text('', 'As in a Service, for example PreferClose'),
      spareEndpoints: flag(
        false,
        "gateway: while no pod is ready, because Sluice's containers were killed, the Service goes on with their Envoys. Sluice then needs the right to create EndpointSlices in the release's namespace",
      ),
    })
    .prefault({})
    .describe('What apps call'),
  ingress: ingress('gateway: an Ingress to it, for apps outside of the cluster. Who may call is for the ingress controller to say'),
  httpRoute: httpRoute('gateway: a route of the Gateway API to it'),
  admin: z
    .strictObject({
      token: secretKey('token', 'Token of 16 characters or more that everything but reading needs'),
      service: z
        .strictObject({ enabled: flag(false, 'A Service of the page; made for a route too'), annotations: labels('On it') })
        .prefault({})
        .describe('Where the page is called in the cluster'),
      ingress: ingress('An Ingress to the page. Who may read it is for the ingress controller to say'),
      httpRoute: httpRoute('A route of the Gateway API to the page'),
    })
    .prefault({})
    .describe('The admin server and its page'),
  networkPolicy: z
    .strictObject({
      enabled: flag(true, "Make one. Without it every pod of the cluster reaches Sluice's admin port"),
      annotations: labels('On it'),
      apps: objects('Peers that may call; none: everybody'),
      monitoring: objects('Peers that may read metrics and health; none: every pod of the cluster'),
      admin: objects('Peers that may reach the admin port; none: pods of the namespace. Add the ingress controller of admin.ingress'),
      egress: z
        .strictObject({
          enabled: flag(false, 'Say where pods may call: DNS, TCP 443 and 6443 everywhere, and to'),
          to: objects('Further rules, as in a NetworkPolicy: providers at other ports, Redis, PostgreSQL, collectors'),
        })
        .prefault({})
        .describe('Where pods may call'),
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
          "Where alerts' runbook_url leads: the absolute URL of docs/runbooks.md as you publish it, with # at its end; by default a Sluice behind kubectl port-forward",
        ),
      dashboard: flag(false, 'A Grafana dashboard in a ConfigMap'),
      interval: z
        .string()
        .regex(/^\d+(ms|s|m)$/)
        .default('30s')
        .describe('Between scrapes'),
      labels: labels('On the PodMonitor, the PrometheusRule and the dashboard'),
      annotations: labels('On the PodMonitor, the PrometheusRule and the dashboard'),
      dashboardLabels: z.record(z.string(), z.string()).default({ grafana_dashboard: '1' }).describe("What Grafana's sidecar looks for"),
    })
    .prefault({})
    .describe('Prometheus and Grafana'),
  tests: z
    .strictObject({
      enabled: flag(true, 'A pod for helm test'),
      model: text('gpt-5-nano', 'The model that it asks for'),
      annotations: labels('On it'),
      resources: object('Its container', { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } }),
    })
    .prefault({})
    .describe('helm test asks for one decision'),
};
