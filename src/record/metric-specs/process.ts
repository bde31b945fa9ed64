import type { MetricSpecs } from './spec.ts';

/** Of the process: its connections, its sinks, its certificates. */
export const processSpecs = {
  protocolEvents: {
    name: 'llm_proxy_protocol_events_total',
    type: 'counter',
    labels: ['kind'],
    help: 'What went wrong between Envoy and Sluice: `decode-error`, `unexpected-phase`, `partial-body`, `request-aborted` (the client left first), `gateway-error` (Sluice failed inside a stream), `too-many-bytes` (no memory for a message: its request passed undecided), `connection-cut` (it broke the rules or limits of HTTP/2), `connection-lost`. The log has the errors.',
  },
  spans: {
    name: 'llm_proxy_spans_total',
    type: 'counter',
    labels: ['result'],
    help: 'Spans for the collector: `exported`, or `dropped` because it was away or too slow.',
  },
  otlpRecords: {
    name: 'llm_proxy_otlp_records_total',
    type: 'counter',
    labels: ['result'],
    help: 'The same for records (`--records otlp`).',
  },
  logDropped: {
    name: 'llm_proxy_log_dropped_lines_total',
    type: 'counter',
    labels: [],
    help: 'Lines of the log that could not be written: a full disk, a reader that does not read, a closed pipe.',
  },
  ledgerRecords: {
    name: 'llm_proxy_ledger_records_total',
    type: 'counter',
    labels: ['result'],
    help: 'Records for the ledger: `written` to disk, or `dropped` because more came than could be written.',
  },
  ledgerFailures: {
    name: 'llm_proxy_ledger_failures_total',
    type: 'counter',
    labels: [],
    help: 'Writes of the ledger that failed; they are tried again each second.',
  },
  ledgerWaiting: {
    name: 'llm_proxy_ledger_waiting_records',
    type: 'gauge',
    labels: [],
    help: 'Records that were handed to the ledger and are not yet on disk.',
  },
  egressPods: {
    name: 'llm_proxy_egress_pods_total',
    type: 'counter',
    labels: ['mode', 'result'],
    help: 'Pods that the webhooks saw: `governed`, or `skipped` as the annotation sluice.dev/egress-status says.',
  },
  certificateEnd: {
    name: 'llm_proxy_certificate_end_seconds',
    type: 'gauge',
    labels: ['certificate'],
    help: "When a certificate ends, Unix time: of the webhooks (`webhook`), of the providers' names (`egress`), of the CA that pods trust (`ca`).",
  },
  restarts: {
    name: 'llm_proxy_process_restart_total',
    type: 'counter',
    labels: [],
    help: 'How often this process of Sluice was started again after it had ended.',
  },
  build: { name: 'llm_proxy_build_info', type: 'gauge', labels: ['version', 'node'], help: 'Always 1; the versions are in the labels.' },
} as const satisfies MetricSpecs;
