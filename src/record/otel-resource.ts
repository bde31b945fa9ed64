import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceNameEnvDetector,
  type Resource,
} from '@opentelemetry/resources';

/** This server as OpenTelemetry describes it: named sluice unless the environment's variables name it. */
export function otelResource(env: NodeJS.ProcessEnv, version: string): Resource {
  const named = env['OTEL_SERVICE_NAME'] === undefined ? { 'service.name': 'sluice' } : {};
  return defaultResource()
    .merge(resourceFromAttributes({ ...named, 'service.version': version }))
    .merge(detectResources({ detectors: [resourceAttributesEnvDetector, serviceNameEnvDetector] }));
}
