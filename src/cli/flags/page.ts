import { flagName, flagVariable, type Flag } from './flag.ts';
import { serveGroups } from './serve.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function row(key: string, { value, about, fallback, otherwise, needs, excludes }: Flag<unknown>): string {
  const more = [
    ...(needs === undefined ? [] : [`needs ${needs.map((other) => `\`${flagName(other)}\``).join(', ')}`]),
    ...(excludes === undefined ? [] : [`not beside ${excludes.map((other) => `\`${flagName(other)}\``).join(', ')}`]),
  ];
  const without = fallback === undefined ? (otherwise ?? '') : `\`${fallback}\``;
  return `| \`${flagName(key)} ${value}\` | \`${flagVariable(key)}\` | ${without} | ${cell([about, ...more].join('; '))} |`;
}

/** Generates docs/flags.md. */
export function flagsPage(): string {
  const groups = serveGroups.map(
    ({ title, pages, flags }) =>
      `## ${title}\n\nSee ${pages.map((page) => `[${page}](${page}.md)`).join(', ')}.\n\n| flag | variable | without it | what |\n|---|---|---|---|\n${Object.entries(
        flags,
      )
        .map(([key, flag]) => row(key, flag))
        .join('\n')}\n`,
  );
  return `<!-- Generated from src/cli/flags/serve.ts by \`npm run build\`. -->
# Flags of serve

\`sluice serve\` takes these flags. An environment variable counts where the flag is not given; an empty one counts as absent. A wrong value
ends the start with code 2 and a sentence that names the flag. In the chart, values set them ([list](../helm/sluice/README.md#values)), and \`extraArgs\` and \`extraEnv\` the rest.

${groups.join('\n')}`;
}
