import { flagName, type Flag } from './flag.ts';
import { serveGroups } from './serve.ts';

function line(key: string, { value, about, fallback, otherwise, needs, excludes }: Flag<unknown>): string {
  const missing = (needs ?? [])
    .map((other) => flagName(other))
    .filter((name) => !about.includes(`with ${name}:`))
    .map((name) => `\`${name}\``);
  const more = [
    ...(missing.length === 0 ? [] : [`needs ${missing.join(', ')}`]),
    ...(excludes === undefined ? [] : [`not beside ${excludes.map((other) => `\`${flagName(other)}\``).join(', ')}`]),
  ];
  const without = fallback === undefined ? (otherwise === undefined ? '' : `. Without it: ${otherwise}`) : `. Default: \`${fallback}\``;
  const what = [about, ...more].join('; ').replaceAll('<', '&lt;');
  return `- \`${flagName(key)} ${value}\`: ${what}${without}`;
}

/** Generates docs/flags.md. */
export function flagsPage(): string {
  const groups = serveGroups.map(
    ({ title, pages, flags }) =>
      `## ${title}\n\nSee ${pages.map((page) => `[${page}](${page}.md)`).join(', ')}.\n\n${Object.entries(flags)
        .map(([key, flag]) => line(key, flag))
        .join('\n')}\n`,
  );
  return `<!-- Generated from src/cli/flags/serve.ts by \`npm run build\`. -->
# Flags of serve

\`sluice serve\` takes these flags. Where a flag is not given its environment variable counts, if it is not empty: \`SLUICE_CACHE_REDIS\` for \`--cache-redis\`, and so on. A wrong value
ends the start with code 2 and a sentence that names the flag. In the chart, values set them ([list](../helm/sluice/README.md#values)), and \`extraArgs\` and \`extraEnv\` the rest.

${groups.join('\n')}`;
}
