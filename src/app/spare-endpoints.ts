import { sparePort } from '../attach/socket-address.ts';
import type { Ground } from './ground.ts';

/** Where the configuration asks for it, keeps this pod's Envoy in its Service while no pod of the Service is ready. */
export async function openSpareEndpoints({ options, logger, stack }: Ground): Promise<void> {
  const { spareEndpoints: service, envoy, worker } = options;
  // Of several workers one is enough.
  if (service === null || envoy === null || (worker ?? 0) > 0) return;
  const [{ keepSpareEndpoints, ownPod }, { loadKubeConfig }] = await Promise.all([
    import('../kubernetes/spare-endpoints.ts'),
    import('../kubernetes/client.ts'),
  ]);
  const onError = (failure: string): void => {
    logger.error({ failure, service: `${service.namespace}/${service.name}` }, 'no spare endpoints: a Service without a ready pod refuses');
  };
  const pod = ownPod(process.env);
  if (pod === null) {
    onError('the environment names no pod (SLUICE_POD_NAME, SLUICE_POD_UID, SLUICE_POD_IPS)');
    return;
  }
  const ports = { http: sparePort(envoy.listen), ...(envoy.tls === null ? {} : { https: sparePort(envoy.tls.listen) }) };
  stack.defer(keepSpareEndpoints({ config: loadKubeConfig(), namespace: service.namespace, service: service.name, pod, ports, onError }));
}
