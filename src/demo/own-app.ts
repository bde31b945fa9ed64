import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { dialects } from '../apis/registry.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { Stack } from './stack.ts';
import { renderTable } from './table.ts';

interface ProviderEntry {
  endpoint?: string;
  credentialFile?: string;
  credentialFiles?: string[];
  signing?: unknown;
}

/** A policy whose providers, built-in and own, are all the simulator at `endpoint`, with `keyFile` in place of each key file. */
export function policyAtSimulator(text: string, endpoint: string, keyFile: string): string {
  const document = parseDocument(text);
  // The compiler names what is wrong in it.
  if (document.errors.length > 0) return text;
  const { providers: own } = (document.toJS() ?? {}) as { readonly providers?: Readonly<Record<string, ProviderEntry | null>> };
  const names = new Set([...Object.values(dialects).flatMap(({ providers }) => Object.keys(providers)), ...Object.keys(own ?? {})]);
  for (const name of names) {
    document.setIn(['providers', name, 'endpoint'], endpoint);
    const entry = own?.[name] ?? {};
    if (entry.signing !== undefined) document.deleteIn(['providers', name, 'signing']);
    if (entry.credentialFiles !== undefined) document.deleteIn(['providers', name, 'credentialFiles']);
    if (entry.credentialFile !== undefined || entry.credentialFiles !== undefined)
      document.setIn(['providers', name, 'credentialFile'], keyFile);
  }
  return document.toString();
}

/** Writes the key that the simulator takes, as any other; returns its path. */
export function writeSimulatorKey(folder: string): string {
  const file = join(folder, 'simulator-key');
  writeFileSync(file, 'simulated\n');
  return file;
}

/** What to set in an app, by its SDK. */
export function howToPoint({ url, adminUrl }: Stack): string {
  return `
Point your app here; any text is a key, and nothing leaves this machine
  OpenAI SDKs      OPENAI_BASE_URL=${url}/v1 OPENAI_API_KEY=any
  Anthropic SDKs   ANTHROPIC_BASE_URL=${url} ANTHROPIC_API_KEY=any
  Google Gen AI    GOOGLE_GEMINI_BASE_URL=${url} GEMINI_API_KEY=any
  page             ${adminUrl}/

Each request is shown here until Ctrl-C. Answers and token counts are simulated; prices are list prices.
`;
}

const askEveryMs = 500;

/** Prints requests as they are recorded, until `over` says that it is over. */
export async function showRequests(stack: Stack, { over, print, colour }: ShowOptions): Promise<void> {
  const seen = new Set<string>();
  let headless = false;
  while (!over()) {
    const fresh = (await recent(stack)).filter(({ id }) => !seen.has(id)).reverse();
    for (const { id } of fresh) seen.add(id);
    if (fresh.length > 0) {
      const table = renderTable(
        fresh.map((record) => ({ title: `${record.workspace}: ${record.api}`, record })),
        colour,
      );
      print(headless ? table.split('\n').slice(2).join('\n') : table);
      headless = true;
    }
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
}

interface ShowOptions {
  readonly over: () => boolean;
  readonly print: (text: string) => void;
  readonly colour: boolean;
}

async function recent(stack: Stack): Promise<ExchangeRecord[]> {
  try {
    return await stack.decisions(200);
  } catch {
    // It ends, or is busy: the next time.
    return [];
  }
}
