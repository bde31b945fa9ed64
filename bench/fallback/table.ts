/** What came of one case in one way of asking, over all apps: how it ended in words, and how many of its calls ended so. */
export interface Played {
  readonly name: string;
  readonly stream: boolean;
  readonly crossing: boolean;
  readonly text: string;
  readonly good: number;
  readonly calls: number;
}

interface Row {
  readonly names: string[];
  readonly whole: string;
  readonly streamed: string;
  good: number;
  calls: number;
}

/** A table of all cases. Cases that end alike share a row; one with a call that ended otherwise has a row of its own, in bold. */
export function caseTable(played: readonly Played[]): string {
  const rows: Row[] = [];
  for (const name of new Set(played.map((one) => one.name))) {
    const own = played.filter((one) => one.name === name);
    const [whole, streamed] = [cell(own, false), cell(own, true)];
    const [good, calls] = [sum(own, 'good'), sum(own, 'calls')];
    const alike = rows.find((row) => row.whole === whole && row.streamed === streamed && row.good === row.calls && good === calls);
    if (alike === undefined) rows.push({ names: [name], whole, streamed, good, calls });
    else {
      alike.names.push(name);
      alike.good += good;
      alike.calls += calls;
    }
  }
  return [
    '| the first target | whole answers | streams | calls as they have to be |',
    '| --- | --- | --- | --- |',
    ...rows.map(({ names, whole, streamed, good, calls }) => {
      const count = `${good} of ${calls}`;
      return `| ${names.join('; ')} | ${whole} | ${streamed} | ${good === calls ? count : `**${count}**`} |`;
    }),
  ].join('\n');
}

/** One text if fallbacks of the same API and of another end alike, else both. */
function cell(own: readonly Played[], stream: boolean): string {
  const texts = [false, true].map((crossing) => own.find((one) => one.stream === stream && one.crossing === crossing)?.text ?? '–');
  return texts[0] === texts[1] ? texts[0]! : `same API: ${texts[0]!}; another API: ${texts[1]!}`;
}

function sum(own: readonly Played[], field: 'good' | 'calls'): number {
  return own.reduce((total, one) => total + one[field], 0);
}
