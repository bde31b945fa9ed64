import { describe, expect, it } from 'vitest';
import { statusData, type PolicyView, type StatusSource } from './policy-status.ts';
import { configMap } from './testing/config-map.ts';

const now = Date.parse('2026-03-01T12:00:00Z');

function source(name: string, resourceVersion: string, state: StatusSource['state'] = 'in-force'): StatusSource {
  return {
    id: `llm/${name}`,
    resourceVersion,
    state,
    problems:
      state === 'in-force'
        ? []
        : [
            {
              level: 'error',
              code: 'x',
              file: `llm/${name}#policy.yaml`,
              line: 3,
              column: 1,
              path: '',
              message: 'this is wrong',
              fix: 'Correct it.',
            },
          ],
    object: configMap(`llm/${name}`, '', { resourceVersion }),
  };
}

const view = (hash: string, seen: string, ...sources: StatusSource[]): PolicyView => ({ hash, since: now, seen, sources });

describe('the status of policies', () => {
  it('has a line a policy, and says that a version is in force once every replica has it', () => {
    const one = statusData({}, 'a', view('h1', '7', source('routing', '7')), now);
    expect(one.data).toEqual({
      hash: 'h1',
      since: '2026-03-01T12:00:00.000Z',
      replicas: '1/1',
      'replica.a': 'h1 7 2026-03-01T12:00:00.000Z',
      'llm.routing': 'in-force version 7 policy h1 since 2026-03-01T12:00:00.000Z replicas 1/1',
      'llm.routing.version': '7',
    });
    expect(one.news.map(({ name }) => name)).toEqual(['routing']);
    const two = statusData(one.data, 'b', view('h1', '7', source('routing', '7')), now + 1_000);
    expect(two.data).toMatchObject({ replicas: '2/2', 'llm.routing.version': '7' });
    expect(two.news).toEqual([]);

    const edited = statusData(two.data, 'a', view('h2', '9', source('routing', '9')), now + 2_000);
    expect(edited.data).toMatchObject({ hash: 'h2', replicas: '1/2', 'llm.routing.version': '7' });
    expect(edited.news).toEqual([]);
    const both = statusData(edited.data, 'b', view('h2', '9', source('routing', '9')), now + 2_100);
    expect(both.data).toMatchObject({ replicas: '2/2', 'llm.routing.version': '9' });
    expect(both.news).toHaveLength(1);
  });

  it('is not taken back by a replica that has not seen the newest edit', () => {
    const newest = statusData({}, 'a', view('h2', '10', source('routing', '10')), now).data;
    const late = statusData(newest, 'b', view('h1', '9', source('routing', '9')), now);
    expect(late.data).toEqual({ ...newest, 'replica.b': 'h1 9 2026-03-01T12:00:00.000Z' });
    expect(late.news).toEqual([]);
  });

  it('keeps the version in force beside what is wrong with a newer one, and since when', () => {
    const good = statusData({}, 'a', view('h1', '7', source('routing', '7')), now).data;
    const bad = statusData(good, 'a', { ...view('h1', '8', source('routing', '8', 'last-good')), since: now - 5_000 }, now).data;
    expect(bad).toMatchObject({
      'llm.routing': 'last-good version 8 policy h1 since 2026-03-01T11:59:55.000Z replicas 1/1: policy.yaml:3 this is wrong. Correct it.',
      'llm.routing.version': '7',
    });
    expect(statusData(bad, 'a', { ...view('h1', '8', source('routing', '8', 'last-good')), since: now }, now).data).toEqual({
      ...bad,
      since: '2026-03-01T12:00:00.000Z',
    });
  });

  it('forgets replicas that went, or fell silent, and policies that are gone', () => {
    const both = statusData(
      statusData({}, 'a', view('h1', '7', source('x', '7')), now).data,
      'b',
      view('h1', '7', source('x', '7')),
      now,
    ).data;
    expect(statusData(both, 'b', null, now).data).not.toHaveProperty(['replica.b']);
    const later = statusData(both, 'a', view('h1', '7'), now + 71_000).data;
    expect(later).toEqual({ hash: 'h1', since: '2026-03-01T12:00:00.000Z', replicas: '1/1', 'replica.a': 'h1 7 2026-03-01T12:01:11.000Z' });
  });
});
