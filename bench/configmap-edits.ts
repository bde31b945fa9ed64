/** `npm run bench -- configmap`: how long an edit of a ConfigMap takes to a decision by it, through a real API server and a real Envoy. */
import { CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { stringify } from 'yaml';
import { ProviderSimulator } from '../src/demo/simulator.ts';
import { Stack } from '../src/demo/stack.ts';
import { TestCluster } from '../test/kubernetes/support/cluster.ts';

const edits = 100;
const policy = (model: string): string =>
  `version: 1\ndefaults: { candidates: { simple: [openai/${model}], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] } }\n`;

const cluster = new TestCluster();
const simulator = new ProviderSimulator();
const stack = new Stack({
  policy: policy('gpt-5-nano'),
  endpoint: await simulator.listen(),
  source: { args: ['--policy-configmaps', 'default'], env: { KUBECONFIG: cluster.kubeconfig } },
});
try {
  await cluster.start();
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  await cluster.apply(
    stringify({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'policy', namespace: 'default', labels: { 'sluice.dev/policy': 'true' } },
      data: { 'policy.yaml': policy('gpt-5-nano') },
    }),
  );
  await stack.start();
  const times: number[] = [];
  for (let edit = 0; edit < edits; edit++) {
    const model = edit % 2 === 0 ? 'gpt-4.1-nano' : 'gpt-5-nano';
    await api.patchNamespacedConfigMap(
      { namespace: 'default', name: 'policy', body: { data: { 'policy.yaml': policy(model) } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
    const start = performance.now();
    for (;;) {
      const response = await fetch(`${stack.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"model":"gpt-5.1","messages":[{"role":"user","content":"What is DNS?"}]}',
      });
      await response.arrayBuffer();
      if (response.headers.get('x-sluice-model') === model) break;
    }
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => times[Math.min(edits - 1, Math.floor(edits * share))]!.toFixed(0);
  process.stdout.write(
    `${edits} edits, from the API server's answer to the first decision by the new policy: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, longest ${at(1)} ms\n`,
  );
} finally {
  await stack.stop();
  await simulator.close();
  await cluster.stop();
}
