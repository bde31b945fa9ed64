import type { Source } from './conversation.ts';

const dataUrl = /^data:([a-z0-9.+-]+\/[a-z0-9.+-]+)?(?:;[^;,]*)*?;base64,/i;

/** A `data:` URL as its bytes; any other URL as what it is. */
export function sourceOfUrl(url: string): Source {
  // Only the head of the URL is matched: the data may be megabytes.
  const match = dataUrl.exec(url.slice(0, 256));
  if (match === null) return { kind: 'url', url, mime: null };
  return { kind: 'base64', mime: match[1]?.toLowerCase() ?? 'text/plain', data: url.slice(match[0].length) };
}

export function urlOfSource(source: Source): string {
  return source.kind === 'url' ? source.url : `data:${source.mime};base64,${source.data}`;
}

const extensions: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  pdf: 'application/pdf',
};

/** The media type that a URL's path ends in; null when it does not say. */
export function mimeOfUrl(url: string): string | null {
  const extension = /\.([a-z0-9]{1,5})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase();
  return extension === undefined ? null : (extensions[extension] ?? null);
}
