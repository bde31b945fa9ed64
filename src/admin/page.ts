import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

interface Asset {
  readonly type: string;
  readonly url: URL;
}

const html = 'text/html; charset=utf-8';
const css = 'text/css; charset=utf-8';
const script = 'text/javascript; charset=utf-8';
const svg = 'image/svg+xml';

const own = (name: string, type: string): readonly [string, Asset] => [
  `/page/${name}`,
  { type, url: new URL(`./page/${name}`, import.meta.url) },
];

/** All files of the page. It loads everything from this server, so it works without internet access. */
const assets: ReadonlyMap<string, Asset> = new Map([
  ['/', { type: html, url: new URL('./page/index.html', import.meta.url) }],
  own('icon.svg', svg),
  own('page.css', css),
  ...[
    'page.js',
    'charts.js',
    'decisions.js',
    'explain.js',
    'export.js',
    'format.js',
    'learning.js',
    'policy.js',
    'reasons.js',
    'recent.js',
    'server.js',
    'sums.js',
    'theme.js',
    'trials.js',
    'try.js',
    'view.js',
  ].map((name) => own(name, script)),
  ['/page/chart.umd.min.js', { type: script, url: new URL('chart.umd.min.js', import.meta.resolve('chart.js')) }],
]);

/** The runbook of an alert, its section of docs/runbooks.md as plain text; null if there is no such alert. */
export async function runbook(alert: string): Promise<{ readonly type: string; readonly body: string } | null> {
  const page = await readFile(fileURLToPath(new URL('../../docs/runbooks.md', import.meta.url)), 'utf8');
  const section = page.split(/^(?=## )/m).find((part) => part.startsWith(`## ${alert}\n`));
  return section === undefined ? null : { type: 'text/plain; charset=utf-8', body: section };
}

/**
 * Only this server's own files may run or be fetched, text is never turned into anything but text, and no other page may frame this one.
 */
export const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";

/** A file of the page; null if there is none at that path. */
export async function pageAsset(path: string): Promise<{ readonly type: string; readonly body: string } | null> {
  const asset = assets.get(path);
  return asset === undefined ? null : { type: asset.type, body: await readFile(fileURLToPath(asset.url), 'utf8') };
}
