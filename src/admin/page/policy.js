import { by, element, say, whole } from '/page/format.js';
import { ask } from '/page/server.js';
import { offerPolicy } from '/page/try.js';

/** The policy in force, in the header and below; a refused edit is said aloud. */
export async function policy() {
  const [state, { generations, files }] = await Promise.all([ask('/policy'), ask('/policy/generations')]);
  const { number, hash, catalog, lastRefusal } = state;
  say(
    'state',
    lastRefusal === null
      ? `Policy generation ${number} (${hash.slice(0, 8)}), prices of ${catalog.date.replaceAll('-', '\u2011')}`
      : `Policy edit refused; generation ${number} stays in force`,
  );
  by('state').className = lastRefusal === null ? '' : 'bad';
  offerPolicy(files);
  refusal(lastRefusal);
  const at = by('generations');
  if (at.dataset.newest === String(number)) return;
  at.dataset.newest = String(number);
  at.replaceChildren(...generations.map(entry));
}

function refusal(found) {
  const text = found === null ? '' : `${found.at} ${JSON.stringify(found.problems)}`;
  const at = by('refusal');
  if (at.dataset.shown === text) return;
  at.dataset.shown = text;
  at.replaceChildren(
    ...(found === null
      ? []
      : [
          element('p', { class: 'bad' }, `The edit of ${found.at.slice(0, 19).replace('T', ' ')} UTC was refused:`),
          problems(found.problems),
        ]),
  );
}

export const problems = (found) =>
  element(
    'ul',
    {},
    ...found.map(({ file, line, column, message, fix }) =>
      element('li', {}, `${file === '' ? '' : `${file.split('/').at(-1)}, `}line ${line}, column ${column}: ${message}. ${fix}`),
    ),
  );

function entry({ number, hash, loadedAt, catalog, resourceVersion, diffs }) {
  const what =
    diffs === null
      ? 'the first that is kept'
      : diffs.length === 0
        ? `prices ${catalog}`
        : `${diffs.map(({ file }) => file.split('/').at(-1)).join(', ')} changed`;
  const version = resourceVersion === null ? '' : `, resourceVersion ${resourceVersion}`;
  const title = element(
    'summary',
    {},
    element('strong', {}, String(number)),
    ` · ${what} · `,
    whole(`${loadedAt.slice(0, 19).replace('T', ' ')} UTC`),
    ` · ${hash.slice(0, 8)}${version}`,
  );
  return element(
    'details',
    {},
    title,
    ...(diffs ?? []).map(({ patch }) =>
      element(
        'pre',
        {},
        ...patch
          .split('\n')
          .filter((line) => !/^(Index|=====|---|\+\+\+|\\)/.test(line) && line !== '')
          .map(diffLine),
      ),
    ),
  );
}

function diffLine(line) {
  const kind = line.startsWith('+') ? 'ins' : line.startsWith('-') ? 'del' : 'span';
  return element(kind, { class: kind === 'ins' ? 'add' : kind === 'del' ? 'cut' : '' }, `${line}\n`);
}
