/** One sample of the Prometheus text format. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Samples of Sluice's own `/metrics` response. Lines that are not samples are skipped. */
export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)/.exec(line);
    if (match === null) continue;
    const labels = Object.fromEntries(
      [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [
        name!,
        value!.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)),
      ]),
    );
    samples.push({ name: match[1]!, labels, value: Number(match[3]) });
  }
  return samples;
}

/** The sum of a metric's series whose labels match. */
export function sumOf(samples: readonly Sample[], name: string, holds: (labels: Sample['labels']) => boolean = () => true): number {
  return samples.reduce((sum, sample) => (sample.name === name && holds(sample.labels) ? sum + sample.value : sum), 0);
}
