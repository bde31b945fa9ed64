import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apiNames, apis, dialectNames, dialects } from './registry.ts';

const root = new URL('../../', import.meta.url);

/** Files outside src/apis that may name an API: each says of its own choice which one it means, none tells APIs apart; in a price file gemini is a provider. */
const mayName = new Set([
  'src/cli/explain.ts',
  'src/exchange/closed.ts',
  'src/grades/judge.ts',
  'src/demo/requests.ts',
  'src/exchange/call.ts',
  'src/catalog/per-thousand.ts',
  // Companies whose bills are read.
  'src/showback/bill-formats.ts',
]);

describe('the registry', () => {
  it('holds each API and each wire format under its own name', () => {
    expect(apiNames.map((name) => apis[name].name)).toEqual([...apiNames]);
    expect(dialectNames.map((name) => dialects[name].name).sort()).toEqual(Object.keys(dialects).sort());
  });

  it('has for each wire format a chat API that translates both ways, or none', () => {
    for (const { chatApi } of Object.values(dialects)) {
      if (chatApi === null) continue;
      expect(apis[chatApi].translation.caller).not.toBeNull();
      expect(apis[chatApi].translation.target).not.toBeNull();
    }
  });

  it('is where APIs are told apart: no other code names them', () => {
    const quoted = new RegExp(`'(?:${apiNames.join('|')})'`);
    const files = globSync('src/**/*.ts', { cwd: root }).filter(
      (file) => !/^src\/apis\/|\.test\.ts$|\/testing\//.test(file) && !mayName.has(file),
    );
    expect(files.filter((file) => quoted.test(readFileSync(new URL(file, root), 'utf8')))).toEqual([]);
  });

  it('is the only file to edit for a new API, and its folder is small: the example of docs/dev/add-an-api.md', () => {
    const page = readFileSync(new URL('docs/dev/add-an-api.md', root), 'utf8');
    const table = page.split('\n').filter((line) => line.startsWith('|'));
    const cost = table.flatMap((line) => line.match(/`[^`]+\.ts`/g) ?? []).map((file) => file.slice(1, -1).replaceAll('NAME', 'cohere'));
    const inFolder = (file: string): boolean => file.startsWith('src/apis/cohere/');
    expect(cost.length).toBeLessThanOrEqual(12);
    expect(cost.filter(inFolder).sort()).toEqual(
      globSync('src/apis/cohere/**', { cwd: root })
        .filter((file) => file.endsWith('.ts'))
        .sort(),
    );
    expect(cost.filter((file) => !inFolder(file))).toEqual(['src/apis/registry.ts']);
    // It is recorded in the page which tests name it by choice.
    const byChoice = ['src/apis/mask/restore.test.ts', 'src/apis/target-schema.test.ts', 'test/cohere.test.ts'];
    for (const file of byChoice) expect(page).toContain(`\`${file}\``);
    const naming = globSync(['src/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts', 'bench/**/*.ts'], { cwd: root }).filter((file) =>
      /'cohere-chat'|\/cohere\/[a-z-]+\.ts'/.test(readFileSync(new URL(file, root), 'utf8')),
    );
    expect(naming.filter((file) => !inFolder(file) && !byChoice.includes(file) && file !== 'src/apis/registry.test.ts')).toEqual([
      'src/apis/registry.ts',
    ]);
  });
});
