import type { Stack } from '../direct/probe.ts';

/** A function in the place of its callers: samples of it and of what it calls. */
export interface Frame {
  readonly name: string;
  samples: number;
  readonly under: Map<string, Frame>;
}

/**
 * Stacks that begin alike, joined from the outermost function on. Time without work is left out.
 */
export function joined(stacks: readonly Stack[]): Frame {
  const root: Frame = { name: 'main thread', samples: 0, under: new Map() };
  for (const { samples, path } of stacks) {
    const names = path.slice(1).map((name) => name.replace(/ :\d+$/, ''));
    if (names[0] === '(idle)' || names.length === 0) continue;
    root.samples += samples;
    let at = root;
    for (const name of names) {
      let next = at.under.get(name);
      if (next === undefined) at.under.set(name, (next = { name, samples: 0, under: new Map() }));
      next.samples += samples;
      at = next;
    }
  }
  return root;
}

/** Part of the whole below which a frame is not drawn: it would be narrower than three points. */
const leastShare = 0.0025;

const [width, rowHeight, margin] = [1_200, 17, 8];
/** Of a character at this size, in points: what fits into a frame is written into it. */
const [fontSize, letterWidth] = [11, 6.3];

/** A flame graph: callers below, as wide as their share of the time; each frame's title says it in full. SVG that needs nothing else. */
export function flameSvg(frame: Frame, title: string): string {
  const shapes: string[] = [];
  const depth = depthOf(frame, frame.samples);
  draw(frame, { left: 0, level: 0, whole: frame.samples, depth }, shapes);
  const height = (depth + 1) * rowHeight + 2 * margin + 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + 2 * margin} ${height}" font-family="ui-monospace, monospace" font-size="${fontSize}">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${margin}" y="${margin + 12}" font-size="13" fill="#12201f">${escaped(title)}</text>
<g transform="translate(${margin} ${margin + 24})">
${shapes.join('\n')}
</g>
</svg>
`;
}

/** Levels that are drawn above this frame. */
function depthOf(frame: Frame, whole: number): number {
  const drawn = [...frame.under.values()].filter(({ samples }) => samples / whole >= leastShare);
  return drawn.length === 0 ? 0 : 1 + Math.max(...drawn.map((under) => depthOf(under, whole)));
}

interface Place {
  /** Samples to the left of it. */
  readonly left: number;
  readonly level: number;
  readonly whole: number;
  readonly depth: number;
}

function draw(frame: Frame, { left, level, whole, depth }: Place, shapes: string[]): void {
  const [x, wide] = [(left / whole) * width, (frame.samples / whole) * width];
  const y = (depth - level) * rowHeight;
  const share = `${((frame.samples / whole) * 100).toFixed(1)}%`;
  const letters = Math.floor((wide - 4) / letterWidth);
  const label = frame.name.replace(/ \S+:\d+$/, '');
  const text =
    letters < 3
      ? ''
      : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}" fill="#12201f">${escaped(label.length > letters ? `${label.slice(0, letters - 1)}…` : label)}</text>`;
  shapes.push(
    `<g><title>${escaped(frame.name)}: ${share}</title><rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.5, wide - 0.6).toFixed(1)}" height="${rowHeight - 1}" fill="${colourOf(frame.name)}"/>${text}</g>`,
  );
  let at = left;
  // By name, so that two graphs of the same code look alike.
  for (const under of [...frame.under.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (under.samples / whole >= leastShare) draw(under, { left: at, level: level + 1, whole, depth }, shapes);
    at += under.samples;
  }
}

/** By whose code it is. */
function colourOf(name: string): string {
  if (name === '(garbage collector)') return '#e8a0a0';
  if (/ (src|bench)\//.test(name)) return '#8fcabf';
  if (name.includes(' node_modules/')) return '#b9c7e6';
  if (name.includes(' node:')) return '#e9d8a6';
  return '#d9d9d9';
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
