import { counted } from '../lib/counted.ts';
import { Option, type Command } from 'commander';
import { loadCatalog } from '../catalog/index.ts';
import { percents, scoreCounts, tierShares } from '../classify/tier-shares.ts';
import type { TierThresholds } from '../classify/types.ts';
import { compilePolicy, type CompileOptions } from '../policy/compile.ts';
import { policyFilesAt } from './read-policy.ts';
import { renderProblems } from '../policy/store.ts';
import type { PolicyFile, PolicySnapshot, Problem } from '../policy/types.ts';
import { shared } from './flags/shared.ts';

interface ValidateFlags {
  readonly format: 'text' | 'json' | 'github';
  readonly json?: boolean;
  readonly strict?: boolean;
  readonly catalog?: string;
  readonly trusted?: string;
}

/** `sluice validate`: exit 0 if the policy would be accepted, 1 if it would be rejected, 2 for wrong usage. */
export function registerValidate(program: Command): void {
  program
    .command('validate')
    .argument('<path...>', 'policy files, folders, or manifests of ConfigMaps; together they are one policy; - for stdin')
    .description('check a policy as the server would: file, line, what is wrong and what would be right')
    .addOption(
      new Option('--format <format>', 'how problems are printed; github: workflow annotations')
        .choices(['text', 'json', 'github'])
        .default('text'),
    )
    .option(...shared.json)
    .option('--strict', 'warnings are errors')
    .option(...shared.catalog)
    .option(
      '--trusted <namespaces>',
      'namespaces whose ConfigMaps may write everything, as serve --policy-trusted has them; by default those of the manifests that hold delegations',
    )
    .action(async (paths: string[], flags: ValidateFlags) => {
      const catalog = await loadCatalog(flags.catalog);
      const files = paths.flatMap(policyFilesAt);
      const { generation, problems } = compilePolicy(files, { catalog, ...trustedOf(files, flags.trusted) });
      const bad = generation === null || (flags.strict === true && problems.length > 0);
      const format = flags.json === true ? 'json' : flags.format;
      process.stdout.write(render(format, problems, bad, files.length));
      if (format === 'text' && generation !== null) process.stdout.write(tierLines(generation.tierTables));
      process.exitCode = bad ? 1 : 0;
    });
}

/** Trust is not checked if no manifest has delegations and no flag names trusted namespaces. */
function trustedOf(files: readonly PolicyFile[], flag: string | undefined): Pick<CompileOptions, 'trusted'> {
  const names =
    flag?.split(',').map((name) => name.trim()) ??
    files.flatMap(({ namespace, text }) => (namespace !== undefined && /^(["']?)delegations\1\s*:/m.test(text) ? [namespace] : []));
  return flag === undefined && names.length === 0 ? {} : { trusted: (namespace) => names.includes(namespace) };
}

function render(format: ValidateFlags['format'], problems: readonly Problem[], bad: boolean, files: number): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify({ ok: !bad, problems })}\n`;
    case 'github':
      return problems
        .map(
          ({ level, file, line, column, code, message, fix }) =>
            `::${level} file=${property(file.replace(/#.*$/, ''))},line=${line},col=${column},title=${property(code)}::${data(`${message}. ${fix}`)}\n`,
        )
        .join('');
    case 'text': {
      const errors = problems.filter(({ level }) => level === 'error').length;
      const summary = `${counted(files, 'file')}: ${counted(errors, 'error')}, ${counted(problems.length - errors, 'warning')}. ${bad ? 'The server would refuse this policy.' : 'The server would take this policy.'}`;
      return `${problems.length === 0 ? '' : `${renderProblems(problems)}\n`}${summary}\n`;
    }
  }
}

/** What share of which kind of prompt each decision table sends to which tier; sections with the same table share the lines. */
function tierLines(tables: PolicySnapshot['tierTables']): string {
  const same = new Map<string, { readonly thresholds: TierThresholds; readonly names: string[] }>();
  for (const [name, thresholds] of tables) {
    const key = [thresholds.simple.score, thresholds.standard.score, thresholds.margin].join();
    const group = same.get(key) ?? { thresholds, names: [] };
    group.names.push(name);
    same.set(key, group);
  }
  return [...same.values()].map(({ thresholds, names }) => tableLines(names, thresholds)).join('');
}

function tableLines(names: readonly string[], thresholds: TierThresholds): string {
  const { prompts, all, tasks, domains } = scoreCounts();
  const { simple, standard, complex } = tierShares(all, thresholds);
  const percent = (share: number): string => `${Math.round(100 * share)}%`;
  const kinds = (of: Readonly<Record<string, readonly number[]>>): string =>
    Object.entries(of)
      .map(([kind, counts]) => `${kind} ${percents(tierShares(counts, thresholds))}`)
      .join(', ');
  return `Tiers of ${names.join(', ')} by score, on ${prompts.toLocaleString('en')} labelled prompts: simple ${percent(simple)}, standard ${percent(standard)}, complex ${percent(complex)}.
  ${kinds(tasks)}
  ${kinds(domains)}
`;
}

/** Escapes of GitHub's runner: without them a line break would end the command. */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
