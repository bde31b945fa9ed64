/** Maps snapshots, display names and names of clouds to the name that requests use: `gpt-5-mini-2025-08-07`, `Claude Haiku 4.5`. */
export function modelName(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/^claude [a-z0-9. ]+$/, (shown) => shown.replace(/[ .]+/g, '-'))
    .replace(/^(?:(?:us|eu|apac|jp|au|us-gov|global)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|google)\./, '')
    .replace(/-v\d+(?::\d+)?$/, '')
    .replace(/[-@](?:\d{4}-\d{2}-\d{2}|\d{8})$/, '');
}

/** Words and numbers: `gpt-4o-0513` is gpt, 4, o, 0513. */
function words(text: string): string[] {
  return text.toLowerCase().match(/[a-z]+|\d+/g) ?? [];
}

/** Words after a model's name that make it the name of another one. */
const variants: ReadonlySet<string> = new Set(
  'mini nano lite pro image audio realtime rt transcribe tts turbo codex chat search embedding native live vision instruct ft fine tuned finetuned custom ptu provisioned deep research oss max air scout maverick'.split(
    ' ',
  ),
);
/** What a line is about where input or output follows: no part of the name. */
const modalities: ReadonlySet<string> = new Set(['text', 'image', 'audio', 'video']);
const directions: ReadonlySet<string> = new Set(['input', 'output', 'in', 'out', 'inp', 'outp', 'caching', 'cached']);

/** Finds the known model that the words of a bill's line name. */
export class ModelFinder {
  readonly #known: readonly { readonly name: string; readonly key: string; readonly length: number; readonly last: string }[];

  constructor(names: Iterable<string>) {
    this.#known = [...new Set([...names].map(modelName))]
      .map((name) => ({ name, parts: words(name) }))
      .filter(({ parts }) => parts.length > 1)
      .map(({ name, parts }) => ({ name, key: [...parts].sort().join(' '), length: parts.length, last: parts.at(-1)! }))
      .sort((a, b) => b.length - a.length);
  }

  /** The longest known name in the text; null if there is none, or if what follows makes it another model's or an unclear one. */
  find(text: string): string | null {
    const parts = words(text);
    const places = Array.from(parts, (_part, at) => at);
    for (const { name, key, length, last } of this.#known) {
      // Bedrock writes Claude4.5Sonnet for claude-sonnet-4-5: the order of words may differ.
      const at = places.find(
        (start) =>
          start + length <= parts.length &&
          parts
            .slice(start, start + length)
            .sort()
            .join(' ') === key,
      );
      if (at === undefined) continue;
      return clear(parts, at + length, last) ? name : null;
    }
    return null;
  }
}

/** Whether the words from `next` on leave a name as it is. */
function clear(parts: readonly string[], next: number, last: string): boolean {
  const [word = '', after = ''] = parts.slice(next);
  // `… Flash Image Input` may be images for Flash, or the input of Flash Image.
  if (modalities.has(last) && directions.has(word)) return false;
  if (modalities.has(word) && directions.has(after)) return true;
  return !variants.has(word) && !/^\d{1,2}$/.test(word);
}
