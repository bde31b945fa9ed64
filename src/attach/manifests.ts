import { Document, isMap, isPair, isScalar, visit } from 'yaml';
import type { RequestPolicy } from './ext-proc.ts';
import type { UsageMode } from './names.ts';
import type { Provider } from '../policy/types.ts';

export type Json = Readonly<Record<string, unknown>>;

/** One Kubernetes object. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: Json;
}

/** Options for attaching Sluice to the proxies of another control plane. */
export interface AttachOptions extends RequestPolicy {
  readonly providers: readonly Provider[];
  /** Address of Sluice for the proxies: `host:port` of its Service. */
  readonly sluice: string;
  /** Namespace of the objects. */
  readonly namespace: string;
  /** How Sluice receives answers; see usageModeOf. */
  readonly usage: UsageMode;
  /** In the proxies: file with the CAs that verify providers' certificates. */
  readonly caFile: string;
}

/** Objects as one YAML text with a header that names its generator. Long tables are written with one entry per line. */
export function manifestsYaml(what: 'istio' | 'envoy-gateway' | 'kgateway', policyHash: string, objects: readonly Manifest[]): string {
  const head = `# Rendered by \`sluice render ${what}\` from policy ${policyHash}: render and apply it again when the policy's providers change.\n`;
  return `${head}${objects.map((object) => `---\n${yaml(object)}`).join('')}`;
}

function yaml(object: Manifest): string {
  const document = new Document(object, { aliasDuplicateObjects: false });
  visit(document, {
    Pair(_, pair) {
      if (!isScalar(pair.key) || pair.key.value !== 'map' || !isMap(pair.value)) return undefined;
      for (const entry of pair.value.items) if (isPair(entry) && isMap(entry.value) && entry.value.has('action')) entry.value.flow = true;
      return undefined;
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** A provider's endpoint. */
export function endpointOf(provider: Provider): {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly path: string;
} {
  const url = new URL(provider.endpoint);
  const tls = url.protocol === 'https:';
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
    tls,
    path: url.pathname.replace(/\/$/, ''),
  };
}

export const managedLabels = { 'app.kubernetes.io/name': 'sluice', 'app.kubernetes.io/managed-by': 'sluice-render' } as const;
