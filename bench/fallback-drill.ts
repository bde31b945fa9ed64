import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { cells, FallbackDrill, type Cell, type OwnTime } from './fallback/drill.ts';
import { caseTable, type Played } from './fallback/table.ts';

/**
 * Plays every way in which a target can fail, on a real Envoy, and writes what came of it into docs/fallback-drills.md.
 * Usage: npm run drill -- fallback
 */
const page = fileURLToPath(new URL('../docs/fallback-drills.md', import.meta.url));
const marker = '<!-- below: written by the drill -->';
const repeats = 45;

const outcomes: Readonly<Record<Cell['expected'], string>> = {
  next: 'next target answers',
  first: 'arrives as it came',
  error: 'error to the app',
};
const costs: Readonly<Record<Cell['cost'], string>> = {
  second: 'the answer’s',
  both: 'both answers’',
  first: 'the answer’s',
  nothing: 'nothing',
  unknown: 'unknown',
};

/** How all calls of a case that ask in one way have to end, in words; empty if the API has no such case. */
function playedAs(
  played: readonly { readonly cell: Cell; readonly wrong: readonly string[] }[],
  { name, stream, crossing }: Pick<Played, 'name' | 'stream' | 'crossing'>,
): Played[] {
  const own = played.filter(({ cell }) => cell.name === name && cell.stream === stream && cell.crossing === crossing);
  const [one] = own;
  if (one === undefined) return [];
  const good = own.filter(({ wrong }) => wrong.length === 0).length;
  return [{ name, stream, crossing, text: `${outcomes[one.cell.expected]}; cost: ${costs[one.cell.cost]}`, good, calls: own.length }];
}

/** A row for each app and kind of answer: the same API first, then another one. */
function timeRows(times: readonly OwnTime[]): string[] {
  return times
    .filter(({ crossing }) => !crossing)
    .map((same) => {
      const other = times.find(({ family, stream, crossing }) => crossing && family === same.family && stream === same.stream);
      const cells = [same, other].flatMap((time) => (time === undefined ? ['–', '–'] : [time.plainMs.toFixed(2), time.addedMs.toFixed(2)]));
      return `| ${[same.family, same.stream ? 'streamed' : 'whole', ...cells].join(' | ')} |`;
    });
}

const drill = new FallbackDrill(repeats);
let failed = 0;
try {
  await drill.start();
  const played: { readonly cell: Cell; readonly wrong: readonly string[] }[] = [];
  for (const cell of cells) {
    const wrong = await drill.play(cell);
    if (wrong.length > 0) {
      failed++;
      process.stderr.write(
        `✗ ${cell.name}, ${cell.family}, ${cell.stream ? 'streamed' : 'whole'}, ${cell.crossing ? 'crossing' : 'same API'}: ${wrong.join('; ')}\n`,
      );
    }
    played.push({ cell, wrong });
  }
  const table = caseTable(
    [...new Set(cells.map(({ name }) => name))].flatMap((name) =>
      [false, true].flatMap((stream) => [false, true].flatMap((crossing) => playedAs(played, { name, stream, crossing }))),
    ),
  );
  const times = await drill.ownTime();
  const text = [
    `${cells.length - failed} of ${cells.length} as they have to be.`,
    '',
    table,
    '',
    '## Added time',
    '',
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, Linux ${release()}, Node ${process.version}; medians of ${repeats - 5} requests each, taken in turns.`,
    '',
    '| app | answer | same API: first target answers, ms | added, ms | another API: first target answers, ms | added, ms |',
    '| --- | --- | --- | --- | --- | --- |',
    ...timeRows(times),
    '',
  ].join('\n');
  const before = readFileSync(page, 'utf8');
  writeFileSync(page, `${before.slice(0, before.indexOf(marker) + marker.length)}\n\n${text}`);
  process.stdout.write(text);
} finally {
  await drill.stop();
}
process.exit(failed === 0 ? 0 : 1);
