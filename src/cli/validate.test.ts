import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const validator = new URL('validate.ts', import.meta.url).href;

/** The command by itself, with the exit codes of the whole. */
const program = `
import { Command } from 'commander';
import { registerValidate } from ${JSON.stringify(validator)};
const program = new Command('sluice').exitOverride();
registerValidate(program);
try { await program.parseAsync(process.argv.slice(1), { from: 'user' }); } catch { process.exitCode = 2; }
`;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-validate-'));
  writeFileSync(join(folder, 'good.yaml'), 'version: 1\n');
  writeFileSync(join(folder, 'warned.yaml'), 'version: 1\ndefaults: {pinned: [no-such-model]}\n');
  writeFileSync(join(folder, 'bad.yaml'), 'version: 1\ndefaults: {mode: nope}\n');
});

afterAll(() => rmSync(folder, { recursive: true }));

async function validate(...args: string[]): Promise<{ code: number; stdout: string }> {
  try {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, 'validate', ...args], { cwd: new URL('../..', import.meta.url) });
    return { code: 0, stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, stdout };
  }
}

test('exit codes tell good, bad and misused apart, and --strict refuses warnings', async () => {
  const code = async (...args: string[]): Promise<number> => (await validate(...args)).code;
  expect(await Promise.all([code(join(folder, 'good.yaml')), code(join(folder, 'warned.yaml')), code('--strict', join(folder, 'warned.yaml')), code(join(folder, 'bad.yaml')), code('--format', 'xml', join(folder, 'good.yaml')), code()])).toEqual([0, 0, 1, 1, 2, 2]);
});

test('text, JSON and workflow annotations say file, line and what would be right', async () => {
  const file = join(folder, 'bad.yaml');
  const [text, json, github] = await Promise.all([validate(file), validate('--format', 'json', file), validate('--format', 'github', file)]);
  expect(text.stdout).toContain(`${file}:2:18 error schema at defaults.mode: `);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: false, problems: [{ file, line: 2, column: 18, code: 'schema' }] });
  expect(github.stdout).toMatch(new RegExp(`^::error file=${file},line=2,col=18,title=schema::.+enabled.+\n$`));
});
