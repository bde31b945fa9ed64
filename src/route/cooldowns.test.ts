import { describe, expect, it } from 'vitest';
import { limits } from '../lib/limits.ts';
import { Cooldowns, type CooldownChange, type CooldownShare } from './cooldowns.ts';

const target = { provider: 'openai', model: 'small' };
const other = { provider: 'openai', model: 'large' };

describe('cool-downs', () => {
  let now = 1_000_000;
  const make = (): Cooldowns => new Cooldowns(() => now);

  it('rest a target for as long as its provider asked for, then let one request try it', () => {
    const cooldowns = make();
    cooldowns.ended(target, { kind: 'limited', retryAfterMs: 5_000 });
    expect(cooldowns.cooling(target)).toBe(true);
    expect(cooldowns.cooling(other)).toBe(false);
    expect(cooldowns.states()).toEqual([{ target, state: 'cooling', remainingMs: 5_000 }]);
    now += 5_000;
    expect(cooldowns.states()).toEqual([{ target, state: 'half-open', remainingMs: 0 }]);
    expect(cooldowns.cooling(target)).toBe(false);
    cooldowns.began(target);
    expect(cooldowns.cooling(target)).toBe(true);
    cooldowns.ended(target, { kind: 'ok' });
    expect(cooldowns.cooling(target)).toBe(false);
    expect(cooldowns.states()).toEqual([]);
  });

  it('open when half of at least ten attempts failed, and rest twice as long when the one that tries fails', () => {
    const cooldowns = make();
    for (let attempt = 0; attempt < 9; attempt++) cooldowns.ended(target, { kind: 'failed' });
    expect(cooldowns.cooling(target)).toBe(false);
    cooldowns.ended(target, { kind: 'failed' });
    expect(cooldowns.cooling(target)).toBe(true);
    now += 15_000;
    cooldowns.began(target);
    cooldowns.ended(target, { kind: 'failed' });
    now += 29_999;
    expect(cooldowns.cooling(target)).toBe(true);
    now += 1;
    expect(cooldowns.cooling(target)).toBe(false);
  });

  it('stay closed while most attempts succeed, and forget what is old', () => {
    const cooldowns = make();
    cooldowns.ended(target, { kind: 'failed' });
    for (let attempt = 0; attempt < 40; attempt++) {
      cooldowns.ended(target, { kind: 'ok' });
      cooldowns.ended(target, { kind: attempt % 3 === 0 ? 'failed' : 'ok' });
    }
    expect(cooldowns.cooling(target)).toBe(false);
    now += 31_000;
    for (let attempt = 0; attempt < 9; attempt++) cooldowns.ended(target, { kind: 'failed' });
    expect(cooldowns.cooling(target)).toBe(false);
  });

  it('try again when the request that tried a target was never heard of again', () => {
    const cooldowns = make();
    cooldowns.ended(target, { kind: 'dead' });
    now += 60_000;
    cooldowns.began(target);
    expect(cooldowns.cooling(target)).toBe(true);
    now += 60_000;
    expect(cooldowns.cooling(target)).toBe(false);
  });

  it('take a whole provider out whose key is dead, but not for apps that bring their own', () => {
    const cooldowns = make();
    cooldowns.ended(target, { kind: 'key-dead' });
    expect([
      cooldowns.cooling(target),
      cooldowns.cooling(other),
      cooldowns.cooling(target, true),
      cooldowns.cooling({ provider: 'mistral', model: 'small' }),
    ]).toEqual([true, true, false, false]);
    cooldowns.ended(target, { kind: 'ok' }, true);
    expect(cooldowns.cooling(other)).toBe(true);
    now += 60_000;
    expect(cooldowns.cooling(other)).toBe(false);
    cooldowns.began(other);
    expect(cooldowns.cooling(target)).toBe(true);
    // Any answer shows that the key is good, a bad one too.
    cooldowns.ended(other, { kind: 'failed' });
    expect(cooldowns.states()).toEqual([]);
  });

  it('hold for all replicas, and one of them tries the target again', async () => {
    let leader: string | null = null;
    const replicas = new Map<string, Cooldowns>();
    const shareOf = (name: string): CooldownShare => ({
      tell: (which, change: CooldownChange) => {
        leader = null;
        for (const [other, cooldowns] of replicas) if (other !== name) cooldowns.heard(which, change);
      },
      lead: () => Promise.resolve((leader ??= name) === name),
    });
    const add = (name: string): Cooldowns => {
      const made = new Cooldowns(() => now, shareOf(name));
      replicas.set(name, made);
      return made;
    };
    const [first, second] = [add('first'), add('second')];
    first.ended(target, { kind: 'limited', retryAfterMs: 5_000 });
    expect([first.cooling(target), second.cooling(target)]).toEqual([true, true]);
    now += 5_000;
    // Nobody tries it before it is known who does.
    expect([second.cooling(target), first.cooling(target)]).toEqual([true, true]);
    await Promise.resolve();
    expect([first.cooling(target), second.cooling(target)]).toEqual([true, false]);
    second.began(target);
    second.ended(target, { kind: 'failed' });
    now += 9_999;
    expect([first.cooling(target), second.cooling(target)]).toEqual([true, true]);
    now += 1;
    expect(first.cooling(target)).toBe(true);
    await Promise.resolve();
    expect(first.cooling(target)).toBe(false);
    first.began(target);
    first.ended(target, { kind: 'ok' });
    expect([first.cooling(target), second.cooling(target), second.states()]).toEqual([false, false, []]);
  });

  it('remember a bounded number of targets', () => {
    const cooldowns = make();
    for (let at = 0; at < limits.cooldownTargets + 10; at++)
      cooldowns.ended({ provider: 'p', model: `m${at}` }, { kind: 'limited', retryAfterMs: null });
    expect(cooldowns.states()).toHaveLength(limits.cooldownTargets);
    // Ten minutes is the longest that any provider is believed.
    cooldowns.ended(target, { kind: 'limited', retryAfterMs: 1e12 });
    expect(cooldowns.states().find(({ target: { model } }) => model === 'small')?.remainingMs).toBe(600_000);
  });
});
