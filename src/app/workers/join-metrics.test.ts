import { expect, it } from 'vitest';
import { joinMetrics } from './join-metrics.ts';

const text = (value: number): string => `# HELP a_total What a is.
# TYPE a_total counter
a_total{model="x y"} ${value}
a_total ${value + 1}

# HELP b Buckets.
# TYPE b histogram
b_bucket{le="1"} ${value} # {trace_id="t"} 1 2
b_count ${value}
`;

it("gives each worker's series its number, and each metric's help and type once", () => {
  expect(
    joinMetrics([
      { worker: 0, text: text(1) },
      { worker: 2, text: `${text(5)}# HELP c Only here.\n# TYPE c gauge\nc 1\n` },
    ]),
  ).toBe(
    `# HELP a_total What a is.
# TYPE a_total counter
a_total{worker="0",model="x y"} 1
a_total{worker="0"} 2
a_total{worker="2",model="x y"} 5
a_total{worker="2"} 6
# HELP b Buckets.
# TYPE b histogram
b_bucket{worker="0",le="1"} 1 # {trace_id="t"} 1 2
b_count{worker="0"} 1
b_bucket{worker="2",le="1"} 5 # {trace_id="t"} 1 2
b_count{worker="2"} 5
# HELP c Only here.
# TYPE c gauge
c{worker="2"} 1
`,
  );
});

it('ends OpenMetrics once', () => {
  const open = '# TYPE a gauge\na 1\n# EOF\n';
  expect(
    joinMetrics([
      { worker: 0, text: open },
      { worker: 1, text: open },
    ]),
  ).toBe('# TYPE a gauge\na{worker="0"} 1\na{worker="1"} 1\n# EOF\n');
  expect(joinMetrics([])).toBe('\n');
});
