import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apiNames, dialectNames } from './names.ts';
import { apis, dialects } from './registry.ts';

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
});
