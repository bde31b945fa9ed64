import type { Source } from './conversation.ts';

const dataUrl = /^data:([a-z0-9.+-]+\/[a-z0-9.+-]+)?(?:;[^;,]*)*?;base64,/i;

/** A `data:` URL as its bytes; any other URL as a reference. */
export function sourceOfUrl(url: string): Source {
  // Matches only the head of the URL: the data may be megabytes.
  const match = dataUrl.exec(url.slice(0, 256));
  if (match === null) return { kind: 'url', url, mime: null };
  return { kind: 'base64', mime: mimeOf(match[1] ?? 'text/plain'), data: url.slice(match[0].length) };
}

/** A media type in lower case and by its registered name. */
export function mimeOf(type: string): string {
  const mime = type.toLowerCase();
  return mime === 'image/jpg' || mime === 'image/pjpeg' ? 'image/jpeg' : mime;
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

/** The media type by the extension of a URL's path; null if there is none. */
export function mimeOfUrl(url: string): string | null {
  const extension = /\.([a-z0-9]{1,5})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase();
  return extension === undefined ? null : (extensions[extension] ?? null);
}
