import { createHash } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { fetchPriceList } from '../catalog/fetch.ts';
import { formatCatalog, loadCatalog, readCatalogFile } from '../catalog/index.ts';
import { importLiteLLM } from '../catalog/import.ts';
import { mergeCatalog, type CatalogChanges } from '../catalog/changes.ts';
import { SluiceError } from '../errors.ts';

interface ImportFlags {
  readonly base?: string;
  readonly out?: string;
  readonly accept: string[];
  readonly acceptAll?: boolean;
  readonly format: 'text' | 'json';
}

const embedded = new URL('../catalog/data/catalog.json', import.meta.url);

/** `sluice catalog import|show`. */
export function registerCatalog(program: Command): void {
  const catalog = program.command('catalog').description('the price catalog');
  catalog
    .command('import')
    .argument('<source>', "LiteLLM's price list: a file or a URL")
    .description('read a price list, report what changed, hold prices that moved more than 10×')
    .option('--base <file>', 'catalog to compare with (default: --out if it exists, else the embedded one)')
    .option('--out <file>', 'write the new catalog here')
    .option('--accept <provider/model...>', 'take over a held price', [])
    .option('--accept-all', 'take over every held price')
    .option('--format <format>', 'text or json', 'text')
    .action(async (source: string, flags: ImportFlags) => {
      const list = await fetchPriceList(source);
      const base = await readBase(flags);
      const { entries, skipped } = importLiteLLM(list.json);
      if (entries.length === 0) throw new SluiceError('SLUICE_CATALOG_INVALID', 'the list holds no model that Sluice knows.', { where: source });
      const date = new Date().toISOString().slice(0, 10);
      const hash = createHash('sha256').update(JSON.stringify(entries)).digest('hex').slice(0, 8);
      const accepted = new Set(flags.accept);
      const head = { source: `LiteLLM price list (MIT), ${list.from}`, version: `${date}-${hash}`, date };
      const { file, changes } = mergeCatalog(base, entries, head, (id) => flags.acceptAll === true || accepted.has(id));
      if (flags.out !== undefined) {
        await writeFile(`${flags.out}.tmp`, formatCatalog(file));
        await rename(`${flags.out}.tmp`, flags.out);
      }
      process.stdout.write(flags.format === 'json' ? `${JSON.stringify({ models: entries.length, skipped, ...changes })}\n` : report(entries.length, skipped, changes));
      if (changes.held.length > 0) process.exitCode = 3;
    });
  catalog
    .command('show')
    .argument('[model]', 'provider, or provider/model')
    .option('--catalog <file>', 'another catalog than the embedded one')
    .description('list providers, models, or the facts of one model')
    .action(async (which: string | undefined, flags: { catalog?: string }) => {
      const facts = await loadCatalog(flags.catalog);
      if (which === undefined) {
        const rows = facts.providers().map((provider) => `${provider.padEnd(12)}${facts.models(provider).length} models`);
        process.stdout.write(`catalog ${facts.version}\n${rows.join('\n')}\n`);
        return;
      }
      const slash = which.indexOf('/');
      if (slash === -1) {
        process.stdout.write(`${facts.models(which).map((entry) => entry.model).join('\n')}\n`);
        return;
      }
      const entry = facts.lookup(which.slice(0, slash), which.slice(slash + 1));
      if (entry === null) throw new SluiceError('SLUICE_CATALOG_MODEL', `the catalog does not know ${which}.`, { where: facts.version });
      process.stdout.write(`${JSON.stringify(entry, null, 2)}\n`);
    });
}

async function readBase(flags: ImportFlags) {
  if (flags.base !== undefined) return readCatalogFile(flags.base);
  if (flags.out === undefined) return readCatalogFile(embedded);
  try {
    return await readCatalogFile(flags.out);
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'SLUICE_CATALOG_UNREADABLE') return readCatalogFile(embedded);
    throw error;
  }
}

function report(models: number, skipped: number, { added, removed, changed, held }: CatalogChanges): string {
  const price = (value: number | null): string => (value === null ? 'unknown' : `$${value}`);
  const lines = [`${models} models read, ${skipped} rows of other kinds left out`, `added ${added.length}, removed ${removed.length}, prices changed ${changed.length}, held ${held.length}`];
  for (const id of added.slice(0, 50)) lines.push(`  + ${id}`);
  for (const id of removed.slice(0, 50)) lines.push(`  - ${id}`);
  for (const { provider, model, field, from, to } of changed.slice(0, 100)) lines.push(`  ~ ${provider}/${model} ${field} ${price(from)} → ${price(to)} per million tokens`);
  for (const { provider, model, field, from, to } of held) lines.push(`  ! held: ${provider}/${model} ${field} ${price(from)} → ${price(to)}; keep ${price(from)} until --accept ${provider}/${model}`);
  return `${lines.join('\n')}\n`;
}
