import { writeFileSync } from 'node:fs';
import { flagsPage } from '../src/cli/flags/page.ts';

writeFileSync(new URL('../docs/flags.md', import.meta.url), flagsPage());
