/** One worker's metrics as a scraper reads them: Prometheus text, or OpenMetrics. */
export interface Exposed {
  readonly worker: number;
  readonly text: string;
}

const end = '# EOF';

/**
 * One text of all workers' metrics: each series gets the label `worker`, so that nothing is added up that must not be, and counters of a
 * worker that was replaced begin at zero as those of a new replica do. Each metric's help and type come once.
 */
export function joinMetrics(exposed: readonly Exposed[]): string {
  const families = new Map<string, { readonly head: string[]; readonly series: string[] }>();
  let openMetrics = false;
  for (const { worker, text } of exposed) {
    let family: { readonly head: string[]; readonly series: string[] } = { head: [], series: [] };
    let fresh = false;
    for (const line of text.split('\n')) {
      if (line === end) openMetrics = true;
      else if (line.startsWith('# ')) {
        const name = line.split(' ', 3)[2]!;
        const known = families.get(name);
        // Help comes first and type second, both by the same name.
        if (known !== family) {
          fresh = known === undefined;
          family = known ?? { head: [], series: [] };
          families.set(name, family);
        }
        if (fresh) family.head.push(line);
      } else if (line !== '') family.series.push(labelled(line, worker));
    }
  }
  const lines = [...families.values()].flatMap(({ head, series }) => [...head, ...series]);
  return `${[...lines, ...(openMetrics ? [end] : [])].join('\n')}\n`;
}

function labelled(line: string, worker: number): string {
  const brace = line.indexOf('{');
  const space = line.indexOf(' ');
  const label = `worker="${worker}"`;
  // An exemplar, after the value, has braces of its own.
  return brace !== -1 && brace < space
    ? `${line.slice(0, brace)}{${label},${line.slice(brace + 1)}`
    : `${line.slice(0, space)}{${label}}${line.slice(space)}`;
}
