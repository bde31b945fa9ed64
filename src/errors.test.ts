import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorsPage } from './errors-page.ts';
import { SluiceError } from './errors.ts';

describe('errors', () => {
  it('say what, where and what to do in one line', () => {
    const error = new SluiceError('SLUICE_LISTEN', 'the port is taken.', { where: '127.0.0.1:1' });
    expect(error.render()).toMatch(/^SLUICE_LISTEN 127\.0\.0\.1:1: the port is taken\. .+/);
  });

  it('stand in docs/errors.md, all of them', () => {
    expect(readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')).toBe(errorsPage());
  });
});
