import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { LineWriter } from './line-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-lines-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('writes all lines in order, in the background and at the end', async () => {
  const file = join(folder, 'deep', 'log');
  const writer = new LineWriter(file, 1_000_000);
  for (let i = 0; i < 100; i++) writer.write(`${i}\n`);
  await expect.poll(() => readFileSync(file, 'utf8').split('\n').length).toBe(101);
  writer.write('last\n');
  await writer.flush();
  expect(readFileSync(file, 'utf8')).toContain('last\n');
  expect(writer.counts).toEqual({ dropped: 0 });
});

it.runIf(existsSync('/dev/full'))('drops and counts what a full disk does not take, and holds no more than the bound', async () => {
  const writer = new LineWriter('/dev/full', 100);
  for (let i = 0; i < 100; i++) writer.write('0123456789\n');
  expect(writer.counts.dropped).toBe(91);
  // Nor does the end of the process wait for it.
  const before = performance.now();
  await writer.flush();
  expect(performance.now() - before).toBeLessThan(5_000);
});

it('counts lines that nobody reads any more, and goes on', () => {
  const script = `import { LineWriter } from ${JSON.stringify(join(import.meta.dirname, 'line-writer.ts'))};
    const writer = new LineWriter('-', 1_000_000);
    const timer = setInterval(() => { writer.write('line\\n'); if (writer.counts.dropped > 2) { process.stderr.write('went on'); clearInterval(timer); } }, 5);`;
  const file = join(folder, 'err');
  const child = spawn('sh', ['-c', `"$0" --input-type=module -e "$1" 2>"$2" | true`, process.execPath, script, file]);
  return new Promise<void>((resolve) => child.on('exit', () => resolve())).then(() =>
    expect(readFileSync(file, 'utf8')).toContain('went on'),
  );
});

it('does not wait for a reader that does not read', () => {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const reader = openSync(fifo, 'r+');
  expect(reader).toBeGreaterThan(0);
  const writer = new LineWriter(fifo, 10_000);
  const before = performance.now();
  for (let i = 0; i < 100; i++) writer.write(`${'x'.repeat(999)}\n`);
  expect(performance.now() - before).toBeLessThan(5_000);
  expect(writer.counts.dropped).toBeGreaterThan(80);
});
