import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ParsedRequest } from '../apis/types.ts';
import { loadCatalog } from '../catalog/index.ts';
import { classifyRequest } from '../classify/index.ts';
import type { Tier, Verdict } from '../classify/types.ts';
import { compilePolicy } from '../policy/compile.ts';
import { promptsOf } from '../replay/prompts.ts';
import { decide } from './decide.ts';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs/classifier.md'), 'utf8');
const [, text = ''] = /^## A rule table$[\s\S]*?```yaml\n([\s\S]*?)```/m.exec(page) ?? [];

interface Caller {
  readonly userTier: string | null;
  readonly quality: string | null;
}

/** The table of the page, written as a program. */
function plainly({ lastUser }: ParsedRequest, verdict: Verdict, { userTier, quality }: Caller): Tier {
  if (userTier === 'premium' || quality === 'high') return 'complex';
  if (verdict.domain === 'medical' || verdict.domain === 'legal') return 'complex';
  if (verdict.task === 'code' || (verdict.level ?? 0) >= 4) return 'complex';
  if (['classification', 'extraction', 'translation'].includes(verdict.task)) return 'simple';
  if (userTier === 'free') return 'simple';
  if (/\b(why|explain|compare|analy[sz]e)\b/i.test(lastUser)) return 'complex';
  if (lastUser.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length < 30 && !lastUser.includes('?')) return 'simple';
  return verdict.tier;
}

describe('the rule table in docs/classifier.md', () => {
  it('gives the same tier as a program that says the same, on 1,000 prompts and for every kind of caller', async () => {
    const { generation, problems } = compilePolicy([{ name: 'docs/classifier.md', text }], { catalog: await loadCatalog() });
    if (generation === null) throw new Error(JSON.stringify(problems));
    // Scripts that put no spaces between words are counted otherwise.
    const all = (await promptsOf(join(root, 'data/prompts'), 'gpt-5.1')).filter(
      ({ exchange }) => !/[\u3040-\u9fff]/.test(exchange.lastUser),
    );
    const provider = generation.providers.get('openai')!;
    const section = generation.section('default', provider.name);
    const nobody: Caller = { userTier: null, quality: null };
    const callers: readonly Caller[] = [
      nobody,
      nobody,
      nobody,
      { userTier: 'free', quality: null },
      { userTier: 'premium', quality: null },
      { userTier: null, quality: 'high' },
    ];
    const others: string[] = [];
    const tiers = new Map<Tier, number>();
    for (let at = 0; at < 1_000; at++) {
      const { exchange } = all[Math.floor((at * all.length) / 1_000)]!;
      const verdict = classifyRequest(exchange, section.classifier);
      const caller = callers[at % callers.length]!;
      const decision = decide({
        exchange,
        verdict,
        caller: { ...caller, workspace: 'default', task: null, session: null, user: null, headers: new Map(), now: 0 },
        provider,
        section,
        generation,
        learned: null,
        canTranslate: () => ({ ok: true, dropped: [] }) as never,
      });
      const wanted = plainly(exchange, verdict, caller);
      tiers.set(wanted, (tiers.get(wanted) ?? 0) + 1);
      if (decision.tier !== wanted)
        others.push(
          `${JSON.stringify(caller)} ${verdict.task} ${verdict.domain} ${verdict.level}: ${decision.tier}, not ${wanted}: ${exchange.lastUser.slice(0, 80)}`,
        );
    }
    expect(others).toEqual([]);
    expect(Math.min(...tiers.values())).toBeGreaterThan(5);
    expect(tiers.size).toBe(3);
  });
});
