import type { Command } from 'commander';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from '../policy/compile.ts';
import { readPolicyFiles } from '../policy/source.ts';
import { renderProblems } from '../policy/store.ts';
import type { Problem } from '../policy/types.ts';

interface ValidateFlags {
  readonly format: 'text' | 'json' | 'github';
  readonly strict?: boolean;
  readonly catalog?: string;
}

/** `sluice validate`: exit 0 when the policy would be taken, 1 when it would be refused, 2 for wrong usage. */
export function registerValidate(program: Command): void {
  program
    .command('validate')
    .argument('<path...>', 'policy files, folders, or manifests of ConfigMaps; together they are one policy')
    .description('check a policy as the server would: file, line, what is wrong and what would be right')
    .option('--format <format>', 'text, json or github (workflow annotations)', 'text')
    .option('--strict', 'warnings are errors')
    .option('--catalog <file>', 'another catalog than the embedded one')
    .action(async (paths: string[], flags: ValidateFlags) => {
      const catalog = await loadCatalog(flags.catalog);
      const files = paths.flatMap(readPolicyFiles);
      const { generation, problems } = compilePolicy(files, { catalog });
      const bad = generation === null || (flags.strict === true && problems.length > 0);
      process.stdout.write(render(flags.format, problems, bad, files.length));
      process.exitCode = bad ? 1 : 0;
    });
}

function render(format: ValidateFlags['format'], problems: readonly Problem[], bad: boolean, files: number): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify({ ok: !bad, problems })}\n`;
    case 'github':
      return problems
        .map(({ level, file, line, column, code, message, fix }) => `::${level} file=${file},line=${line},col=${column},title=${code}::${message}. ${fix}\n`)
        .join('');
    case 'text': {
      const errors = problems.filter(({ level }) => level === 'error').length;
      const summary = `${files} file${files === 1 ? '' : 's'}: ${errors} errors, ${problems.length - errors} warnings. ${bad ? 'The server would refuse this policy.' : 'The server would take this policy.'}`;
      return `${problems.length === 0 ? '' : `${renderProblems(problems)}\n`}${summary}\n`;
    }
  }
}
