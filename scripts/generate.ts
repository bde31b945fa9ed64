import { globSync } from 'node:fs';

/** Writes all pages, schemas, charts and manifests that are made from the code: what each `generate-*.ts` makes. */
for (const file of globSync('generate-*.ts', { cwd: import.meta.dirname }).sort()) await import(`./${file}`);
