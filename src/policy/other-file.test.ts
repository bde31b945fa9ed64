import { expect, it } from 'vitest';
import { loadCatalog } from '../catalog/index.ts';
import { compilePolicy } from './compile.ts';

const candidates = 'candidates: { simple: [openai/gpt-5-nano], standard: [openai/gpt-5-mini], complex: [openai/gpt-5.1] }';
const first = `version: 1
defaults: { ${candidates} }
providers: { own.one: { dialect: openai, endpoint: "https://models.example", pathPrefix: /own } }
workspaces: { known: [shop] }
sections: [{ name: shop, match: { workspace: [shop] } }]
`;

it.each([
  ['defaults', `defaults: { ${candidates} }`],
  ['a provider', 'providers: { own.one: { dialect: openai, endpoint: "https://models.example", pathPrefix: /more } }'],
  ['workspaces', 'workspaces: { known: [bank] }'],
  ['a section', 'sections: [{ name: shop, match: { workspace: [bank] } }]'],
  ['a section of the same requests', 'sections: [{ name: other, match: { workspace: [shop] } }]'],
])('says which file says it first: %s', async (_name, second) => {
  const files = [
    { name: 'platform/empty#a.yaml', text: 'version: 1\n' },
    { name: 'platform/base#policy.yaml', text: first },
    { name: 'team/own#policy.yaml', text: `version: 1\n${second}\n` },
  ];
  const { problems } = compilePolicy(files, { catalog: await loadCatalog(), inOrder: true });
  expect(problems.filter(({ level }) => level === 'error').map(({ file, message }) => [file, message])).toEqual([
    ['team/own#policy.yaml', expect.stringMatching(/ \(first in platform\/base#policy\.yaml\)$/)],
  ]);
});
