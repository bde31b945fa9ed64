import { counted } from '../lib/counted.ts';
import { Option, type Command } from 'commander';
import { importList, mergeModels, type CatalogChanges, type ImportReport, type PriceChange } from '../catalog/changes.ts';
import { fetchPriceList } from '../catalog/fetch.ts';
import { embeddedCatalog, loadCatalog, readCatalogFile, writeCatalogFile } from '../catalog/index.ts';
import { isoToday, readBase, sourceName } from '../catalog/update.ts';
import type { CatalogFile } from '../catalog/schema.ts';
import type { Catalog } from '../catalog/types.ts';
import { SluiceError } from '../lib/errors.ts';
import { didYouMean } from '../policy/nearest.ts';
import { shared } from './flags/shared.ts';
import { waiting } from './progress.ts';
import { fileOf } from './stdin.ts';

interface ImportFlags {
  readonly base?: string;
  readonly out?: string;
  readonly source?: string;
  readonly accept: string[];
  readonly acceptAll?: boolean;
  readonly format: 'text' | 'json';
  readonly json?: boolean;
}

/** Exit code of an import that holds back prices for review: it succeeded, but somebody must look at them. */
const exitHeld = 3;

const format = (): Option => new Option('--format <format>', 'how to print').choices(['text', 'json']).default('text');

/**
 * `sluice catalog import|diff|show`: exit 0, 1 for unreadable input, 2 for wrong usage; import 3 if prices are held back, diff 4 if they
 * differ.
 */
export function registerCatalog(program: Command): void {
  const catalog = program.command('catalog').description('the price catalog');
  catalog
    .command('import')
    .argument('<source>', "a price list, as LiteLLM's or provider → model → input_cost_per_1k_tokens: a file or a URL; - for stdin")
    .description('read a price list, report what changed, hold prices that moved more than 10×')
    .option('--base <file>', 'catalog to compare with; - for stdin (default: --out if it exists, else the embedded one)', fileOf)
    .option('--out <file>', 'write the new catalog here; without it nothing is written')
    .option('--source <text>', "what the new catalog says about its source (default: the list's address)")
    .option('--accept <provider/model...>', 'take over the held prices of a model', [])
    .option('--accept-all', 'take over every held price, and a list that lacks most models')
    .addOption(format())
    .option(...shared.json)
    .action(importCommand);
  catalog
    .command('diff')
    .argument('<old>', 'a catalog file; - for stdin')
    .argument('[new]', 'another one; - for stdin (default: the embedded one)')
    .description('compare two catalogs: models and prices')
    .addOption(format())
    .option(...shared.json)
    .action(diffCommand);
  catalog
    .command('show')
    .argument('[model]', 'provider, model, or provider/model')
    .option(...shared.catalog)
    .option(...shared.json)
    .description('list providers, models, or the facts of one model')
    .action(showCommand);
}

async function importCommand(source: string, flags: ImportFlags): Promise<void> {
  const list = await waiting(`reading ${source}`, fetchPriceList(fileOf(source)));
  // Without an ETag to compare with, the response always has a list.
  if (list === null)
    throw new SluiceError('SLUICE_CATALOG_UNREADABLE', 'The server answered 304 to a question that it was not asked.', { where: source });
  const base =
    flags.base !== undefined
      ? await readCatalogFile(flags.base)
      : flags.out !== undefined
        ? await readBase(flags.out)
        : await readCatalogFile(embeddedCatalog);
  const accepted = new Set(flags.accept);
  const { file, report } = importList(base, list.json, {
    date: isoToday(),
    source: flags.source ?? sourceName(list.from),
    accepts: (id) => flags.acceptAll === true || accepted.delete(id),
    acceptLoss: flags.acceptAll === true,
  });
  for (const id of accepted) process.stderr.write(`--accept ${id}: no price of it is held\n`);
  if (flags.out !== undefined) await writeCatalogFile(flags.out, file);
  process.stdout.write(
    flags.json === true || flags.format === 'json' ? `${JSON.stringify({ version: file.version, ...report })}\n` : renderImport(report),
  );
  if (report.held.length > 0) process.exitCode = exitHeld;
}

async function diffCommand(
  oldFile: string,
  newFile: string | undefined,
  flags: { readonly format: 'text' | 'json'; readonly json?: boolean },
): Promise<void> {
  const [before, after] = await Promise.all([
    readCatalogFile(fileOf(oldFile)),
    readCatalogFile(newFile === undefined ? embeddedCatalog : fileOf(newFile)),
  ]);
  // Retired models count as in neither list: only their prices are kept.
  const listed = ({ models }: CatalogFile): CatalogFile['models'] => models.filter(({ retired }) => retired === undefined);
  const { changes } = mergeModels(listed(before), listed(after), () => true);
  const { added, removed, changed } = changes;
  const same = added.length + removed.length + changed.length === 0;
  const text = `${before.version} → ${after.version}\n${renderChanges(changes)}`;
  process.stdout.write(
    flags.json === true || flags.format === 'json'
      ? `${JSON.stringify({ from: before.version, to: after.version, added, removed, changed })}\n`
      : text,
  );
  if (!same) process.exitCode = 4;
}

async function showCommand(which: string | undefined, flags: { readonly catalog?: string; readonly json?: boolean }): Promise<void> {
  const facts = await loadCatalog(flags.catalog);
  if (which === undefined) {
    if (flags.json === true) {
      const providers = Object.fromEntries(facts.providers().map((provider) => [provider, facts.models(provider).length]));
      process.stdout.write(`${JSON.stringify({ version: facts.version, date: facts.date, providers })}\n`);
      return;
    }
    const rows = facts.providers().map((provider) => `${provider.padEnd(12)}${counted(facts.models(provider).length, 'model')}`);
    process.stdout.write(`catalog ${facts.version}\n${rows.join('\n')}\n`);
    return;
  }
  const slash = which.indexOf('/');
  if (slash === -1) {
    const models = facts.models(which);
    if (models.length === 0) {
      // A model name alone: the provider must be given if several have it.
      const having = facts.providers().filter((provider) => facts.lookup(provider, which) !== null);
      if (having.length === 1) return showModel(facts, having[0]!, which);
      const fix =
        having.length === 0
          ? `Providers: ${facts.providers().join(', ')}. ${didYouMean(which, new Set(facts.providers().flatMap((provider) => facts.models(provider).map(({ model }) => model))), '')}`.trim()
          : `Say whose: ${having.map((provider) => `${provider}/${which}`).join(', ')}.`;
      throw new SluiceError(
        'SLUICE_CATALOG_MODEL',
        having.length === 0 ? `The catalog knows no provider or model ${which}.` : `${which} is a model of several providers.`,
        { where: facts.version, fix },
      );
    }
    const names = models.map((entry) => entry.model);
    process.stdout.write(flags.json === true ? `${JSON.stringify(names)}\n` : `${names.join('\n')}\n`);
    return;
  }
  showModel(facts, which.slice(0, slash), which.slice(slash + 1));
}

function showModel(facts: Catalog, provider: string, model: string): void {
  const entry = facts.lookup(provider, model);
  if (entry === null)
    throw new SluiceError('SLUICE_CATALOG_MODEL', `The catalog does not know ${provider}/${model}.`, {
      where: facts.version,
      fix:
        facts.models(provider).length === 0
          ? `Providers: ${facts.providers().join(', ')}.`
          : didYouMean(
              model,
              facts.models(provider).map((known) => known.model),
              `See \`sluice catalog show ${provider}\`.`,
            ),
    });
  process.stdout.write(`${JSON.stringify(entry, null, 2)}\n`);
}

function renderImport(report: ImportReport): string {
  const lines = [`${counted(report.models, 'model')} read, ${counted(report.skipped, 'row')} of other kinds left out`];
  const offPeak = report.problems.filter(({ problem }) => problem === 'off-peak-price').length;
  for (const { provider, model, field, problem } of report.problems)
    if (problem !== 'off-peak-price') lines.push(`  ? ${provider}/${model} ${field}: ${problem}, left out`);
  if (offPeak > 0) lines.push(`  ? ${counted(offPeak, 'model')} with a lower price at some hours, which is left out`);
  return `${lines.join('\n')}\n${renderChanges(report)}`;
}

function renderChanges({ added, removed, changed, held }: CatalogChanges): string {
  const lines = [`added ${added.length}, removed ${removed.length}, prices changed ${changed.length}, held ${held.length}`];
  for (const id of added) lines.push(`  + ${id}`);
  for (const id of removed) lines.push(`  - ${id}`);
  lines.push(...table('~', changed), ...table('!', held));
  const waiting = [...new Set(held.map(({ provider, model }) => `${provider}/${model}`))];
  if (waiting.length > 0)
    lines.push(`! moved more than 10×: the old prices stay until they are confirmed with --accept ${waiting.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** Price changes in columns: model, field, old, new; US dollars per million tokens. */
function table(mark: string, changes: readonly PriceChange[]): string[] {
  const price = (value: number | null): string => (value === null ? 'unknown' : `$${value}`);
  const rows = changes.map(({ provider, model, field, from, to }) => [`${provider}/${model}`, field, price(from), price(to)] as const);
  const width = (column: 0 | 1 | 2): number => Math.max(0, ...rows.map((row) => row[column].length));
  const widths = [width(0), width(1), width(2)] as const;
  return rows.map(
    ([id, field, from, to]) => `  ${mark} ${id.padEnd(widths[0])}  ${field.padEnd(widths[1])}  ${from.padStart(widths[2])} → ${to}`,
  );
}
