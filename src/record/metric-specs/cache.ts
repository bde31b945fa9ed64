import type { MetricSpecs } from './spec.ts';

const ages = [1, 10, 60, 300, 900, 3_600, 4 * 3_600, 24 * 3_600, 7 * 24 * 3_600];

/** Of the cache. */
export const cacheSpecs = {
  cache: {
    name: 'llm_proxy_cache_total',
    type: 'counter',
    labels: ['result'],
    help: 'Exchanges where the policy has a cache, by what it did.',
  },
  cacheStores: {
    name: 'llm_proxy_cache_store_total',
    type: 'counter',
    labels: ['result'],
    help: 'Answers that the cache was offered: kept (`stored`), or why not.',
  },
  cacheSavedCost: {
    name: 'llm_proxy_cache_saved_dollars_total',
    type: 'counter',
    labels: [],
    help: 'US dollars that the requested models would have cost for what the cache answered.',
  },
  cacheSavedSeconds: {
    name: 'llm_proxy_cache_saved_seconds_total',
    type: 'counter',
    labels: [],
    help: 'Seconds by which answers from the cache were faster than when they were fetched.',
  },
  cacheAge: {
    name: 'llm_proxy_cache_entry_age_seconds',
    type: 'histogram',
    labels: [],
    help: 'Age of the answers that the cache served.',
    buckets: ages,
  },
  cacheEntries: { name: 'llm_proxy_cache_entries', type: 'gauge', labels: [], help: 'Answers in memory.' },
  cacheBytes: { name: 'llm_proxy_cache_bytes', type: 'gauge', labels: [], help: 'Bytes that they are counted with.' },
  cacheEvictions: {
    name: 'llm_proxy_cache_evictions',
    type: 'gauge',
    labels: [],
    help: 'Answers that left memory to make room, since the start.',
  },
  cacheBackendProblems: {
    name: 'llm_proxy_cache_backend_problem_total',
    type: 'counter',
    labels: ['kind'],
    help: 'Requests that the Redis behind the cache did not answer well.',
  },
  cacheBackendUp: {
    name: 'llm_proxy_cache_backend_up',
    type: 'gauge',
    labels: [],
    help: '1 while the Redis behind the cache answers; 0 when it does not or there is none.',
  },
  cacheWaiting: { name: 'llm_proxy_cache_waiting', type: 'gauge', labels: [], help: 'Requests that wait for an identical one in flight.' },
} as const satisfies MetricSpecs;
