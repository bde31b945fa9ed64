import { expect, it } from 'vitest';
import { defaultTransportMemory } from './serve-options.ts';

const mega = 1024 * 1024;

it.each([
  ['a machine without a limit', 0, 512],
  ['a limit of 64 GiB', 64 * 1024, 512],
  ['the chart’s gateway', 768, 256],
  ['the chart’s sidecar', 512, 170.6],
  ['too little for one of the largest bodies', 256, 160],
])('what the transport holds is a third of the memory at most: %s', (_name, allowed, expected) => {
  expect(defaultTransportMemory(allowed * mega) / mega).toBeCloseTo(expected, 0);
});
