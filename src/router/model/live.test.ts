import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { defaultModelFile, encodeModel, readModel } from './file.ts';
import { openModel } from './live.ts';
import type { RouterModel } from './model.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-model-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('a model is swapped when its file is, and a bad file changes nothing', async () => {
  const file = join(folder, 'router.model');
  copyFileSync(defaultModelFile, file);
  const changes: RouterModel[] = [];
  const errors: unknown[] = [];
  const live = await openModel({ file, onChange: (model) => changes.push(model), onError: (error) => errors.push(error), pollMs: 20 });
  const first = live.current();

  writeFileSync(`${file}.next`, 'no model');
  renameSync(`${file}.next`, file);
  await vi.waitFor(() => expect(errors).toHaveLength(1), 10_000);
  expect(live.current()).toBe(first);

  const { header, tables } = await readModel(defaultModelFile);
  writeFileSync(`${file}.next`, encodeModel({ ...header, card: { ...header.card, name: 'other' } }, tables));
  renameSync(`${file}.next`, file);
  await vi.waitFor(() => expect(changes).toHaveLength(1), 10_000);
  expect(live.current().header.card.name).toBe('other');
  expect(live.current().version).not.toBe(first.version);
  live.close();
});

test('a model that cannot be read at the start is said', async () => {
  await expect(openModel({ file: join(folder, 'none'), onChange: () => undefined, onError: () => undefined })).rejects.toMatchObject({
    code: 'SLUICE_FILE_UNREADABLE',
  });
});
