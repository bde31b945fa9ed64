import { Registry, type Metric } from 'prom-client';

/** The metric methods that prom-client's registry uses. */
interface Readable {
  readonly name: string;
  readonly type: string;
  get(): Promise<{ readonly name: string }>;
  /** A faster variant that histograms have. */
  getForPromString?(): Promise<{ readonly name: string }>;
}

export interface Exposition {
  readonly type: string;
  readonly body: string;
}

/** The metrics in the scraper's format: OpenMetrics with exemplars if its Accept header asks for it, otherwise Prometheus text. */
export async function exposition(registry: Registry, accept: string | undefined): Promise<Exposition> {
  if (accept?.includes('application/openmetrics-text') !== true) return { type: registry.contentType, body: await registry.metrics() };
  const open = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const metric of registry.getMetricsAsArray() as unknown as readonly Readable[])
    open.registerMetric(renamed(metric) as unknown as Metric);
  return { type: open.contentType, body: await open.metrics() };
}

/** OpenMetrics names a counter's family without `_total`; prom-client would rename the metric itself, for both formats. */
function renamed(metric: Readable): Readable {
  const name = metric.type === 'counter' ? metric.name.replace(/_total$/, '') : metric.name;
  return { name, type: metric.type, get: async () => ({ ...(await (metric.getForPromString?.() ?? metric.get())), name }) };
}
