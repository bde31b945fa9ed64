import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadCatalog } from '../src/catalog/index.ts';
import { compilePolicy } from '../src/policy/compile.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

function pages(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? pages(join(folder, entry.name)) : entry.name.endsWith('.md') ? [join(folder, entry.name)] : [],
  );
}

const all = ['README.md', ...pages('docs')];
const linksOf = (page: string): string[] =>
  [
    ...readFileSync(join(root, page), 'utf8')
      .replace(/```[\s\S]*?```/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));

/** Policies that the pages show: those that name their version, and parts that begin with one of a policy's own keys. */
const policiesOf = (page: string): { readonly place: string; readonly policy: string }[] => {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].flatMap(({ 1: block, index }) => {
    const place = `${page}:${text.slice(0, index).split('\n').length}`;
    if (/^version: 1$/m.test(block!)) return [{ place, policy: block! }];
    return /^(defaults|providers):/.test(block!) ? [{ place, policy: `version: 1\n${block!}` }] : [];
  });
};

describe('the documentation', () => {
  it('shows policies that the server takes', async () => {
    const catalog = await loadCatalog();
    const policies = all.flatMap(policiesOf);
    const refused = policies.flatMap(({ place, policy }) =>
      compilePolicy([{ name: place, text: policy }], { catalog })
        .problems.filter(({ level }) => level === 'error')
        .map(({ path, message }) => `${place} ${path}: ${message}`),
    );
    expect(refused).toEqual([]);
    expect(policies.length).toBeGreaterThan(20);
  });

  it('links to pages and headings that exist', () => {
    const broken: string[] = [];
    for (const page of all) {
      for (const link of linksOf(page)) {
        const [path, anchor] = link.split('#') as [string, string | undefined];
        const target = path === '' ? page : relative(root, join(root, dirname(page), path));
        if (!existsSync(join(root, target))) broken.push(`${page}: ${link}`);
        else if (anchor !== undefined && target.endsWith('.md')) {
          const headings = [...readFileSync(join(root, target), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text]) =>
            text!
              .toLowerCase()
              .replace(/[^\p{L}\p{N} _-]/gu, '')
              .replaceAll(' ', '-'),
          );
          if (!headings.includes(anchor)) broken.push(`${page}: ${link}`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  it('has every page in its index', () => {
    const indexed = new Set(linksOf('docs/README.md').map((link) => join('docs', link)));
    expect(all.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md' && !indexed.has(page))).toEqual([]);
  });

  it('lists every page once in its index, with one line', () => {
    const lines = readFileSync(join(root, 'docs/README.md'), 'utf8').split('\n');
    expect(lines.filter((line) => line.startsWith('## ')).map((line) => line.split(/[ :]/)[1])).toEqual([
      'Tutorial',
      'How-to',
      'Reference',
      'Explanation',
    ]);
    const links = linksOf('docs/README.md');
    expect(links.filter((link, at) => links.indexOf(link) !== at)).toEqual([]);
    expect(lines.filter((line) => line.includes('](') && !/^- \[[a-z-]+\]\([a-zA-Z/.-]+\.md\): .{10,110}$/.test(line))).toEqual([]);
  });

  it('and the texts of the program use plain words', () => {
    const files = globSync(['*.md', 'docs/**/*.md', 'helm/**/*.{md,yaml,tpl}', '{src,bench,scripts}/**/*.ts'], { cwd: root });
    expect(files.length).toBeGreaterThan(500);
    // Each has a plainer form: again; is not one of; reported; a sentence of its own.
    const wrong = files.flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((line, at) =>
          /\banew\b|\bis none of (?!that|this)|\btold of\b|[,(] of which\b|(some|most|half) of which\b/i.test(line)
            ? [`${file}:${at + 1}`]
            : [],
        ),
    );
    expect(wrong).toEqual([]);
  });

  it('quotes in its runbooks what the log does say', () => {
    const sources = (folder: string): string =>
      readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
        .join('\n');
    const code = sources('src');
    const quoted = [...readFileSync(join(root, 'docs/runbooks.md'), 'utf8').matchAll(/^- The log[^\n]*/gm)].flatMap(([line]) =>
      [...line.matchAll(/`([^`]+)`/g)].map(
        ([, text]) => /"msg":"([^"]+)"/.exec(text!)?.[1] ?? /startswith\("([^"]+)"\)/.exec(text!)?.[1] ?? text!,
      ),
    );
    expect(quoted.length).toBeGreaterThan(4);
    expect(quoted.filter((text) => !code.includes(text))).toEqual([]);
  });
});
