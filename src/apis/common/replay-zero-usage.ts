import type { AnswerForm } from '../answer-forms.ts';
import { isNumber } from './json.ts';
import { isFields, parsed } from './replay-json.ts';

/** The members that hold usage, in answers and in the answers inside events. */
const usageNames = new Set(['usage', 'usageMetadata']);
const holders = new Set(['message', 'response']);
const usageWord = '"usage';

/** The same answer with all token counts 0, for apps that add up counts. Throws SyntaxError if it is not JSON. */
export function withZeroUsage(body: Buffer, form: AnswerForm): Buffer {
  const text = body.toString('utf8');
  if (!text.includes(usageWord)) return body;
  if (form !== 'sse') return Buffer.from(zeroedText(text));
  return Buffer.from(text.replace(/^(data: ?)(\{.*"usage.*)$/gm, (_line, name: string, data: string) => name + zeroedText(data)));
}

function zeroedText(json: string): string {
  return JSON.stringify(zeroed(parsed(json)));
}

function zeroed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(zeroed);
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      usageNames.has(name) ? zeroes(member) : holders.has(name) ? zeroed(member) : member,
    ]),
  );
}

function zeroes(value: unknown): unknown {
  if (isNumber(value)) return 0;
  if (Array.isArray(value)) return value.map(zeroes);
  return isFields(value) ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, zeroes(member)])) : value;
}
