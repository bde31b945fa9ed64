import { fileURLToPath } from 'node:url';
import { loadCatalog } from '../catalog/index.ts';
import { defaultPolicyFile } from '../policy/source.ts';
import { FilePolicyStore } from '../policy/store.ts';
import { renderEnvoyGateway } from './envoy-gateway.ts';
import { renderIstio } from './istio.ts';
import { renderKgateway } from './kgateway.ts';
import { manifestsYaml } from './manifests.ts';

/** The Service of the chart with release `sluice` in the namespace `llm`, shape `extension`. */
export const defaultSluiceService = 'sluice.llm.svc.cluster.local:9000';

/** Istio's own egress gateway. */
export const defaultEgressService = 'istio-egressgateway.istio-system.svc.cluster.local';

/** The manifests in `deploy/`, by path: the output of `sluice render` for the embedded policy. */
export async function deployFiles(): Promise<ReadonlyMap<string, string>> {
  const generation = new FilePolicyStore({ path: fileURLToPath(defaultPolicyFile), catalog: await loadCatalog(), watch: false }).current();
  const shared = {
    providers: [...generation.providers.values()],
    sluice: defaultSluiceService,
    usage: 'observe' as const,
    failClosed: false,
    withholds: false,
    caFile: '/etc/ssl/certs/ca-certificates.crt',
  };
  return new Map([
    [
      'deploy/istio/sidecar.yaml',
      manifestsYaml(
        'istio',
        generation.hash,
        renderIstio({ ...shared, namespace: 'default', attach: 'sidecar', selector: {}, gatewayService: defaultEgressService }),
      ),
    ],
    [
      'deploy/istio/egress-gateway.yaml',
      manifestsYaml(
        'istio',
        generation.hash,
        renderIstio({
          ...shared,
          namespace: 'istio-system',
          attach: 'egress-gateway',
          selector: { istio: 'egressgateway' },
          gatewayService: defaultEgressService,
        }),
      ),
    ],
    [
      'deploy/envoy-gateway/sluice.yaml',
      manifestsYaml(
        'envoy-gateway',
        generation.hash,
        renderEnvoyGateway({ ...shared, namespace: 'llm', gateway: { name: 'sluice', listener: 'http', className: 'eg' } }),
      ),
    ],
    [
      'deploy/kgateway/sluice.yaml',
      manifestsYaml(
        'kgateway',
        generation.hash,
        renderKgateway({ ...shared, namespace: 'llm', gateway: { name: 'sluice', listener: 'http', className: 'kgateway' } }),
      ),
    ],
  ]);
}
