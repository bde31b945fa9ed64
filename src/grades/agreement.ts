import type { AnswerView } from '../apis/common/answer-view.ts';

/** Longest text that counts as a label: a class, a yes, a name. */
const labelUnits = 48;
const labelWords = 5;
/** Most JSON leaves compared. */
const mostLeaves = 2_000;

/**
 * How far two answers to one request agree, if that can be computed: 0 to 1. JSON: the share of equal fields; labels, options of a choice
 * and final numbers: equal or not. Null if the answers have no such form, or one of them was cut off, so that somebody has to read them.
 */
export function agreement(one: AnswerView, other: AnswerView): number | null {
  if ([one, other].some(({ cutOff, filtered, refused }) => cutOff || filtered || refused)) return null;
  if (one.toolArguments.length > 0 || other.toolArguments.length > 0) return callsAgree(one, other);
  const [a, b] = [jsonOf(one.text), jsonOf(other.text)];
  if (a !== undefined && b !== undefined) return fieldsAgree(a, b);
  for (const read of [optionOf, labelOf, numberOf]) {
    const [x, y] = [read(one.text), read(other.text)];
    if (x !== null && y !== null) return x === y ? 1 : 0;
  }
  return null;
}

/** Whether the calls and their arguments are the same, in order; null if an API gave the arguments other than as text. */
function callsAgree(one: AnswerView, other: AnswerView): number | null {
  if (one.toolArguments.includes(null) || other.toolArguments.includes(null)) return null;
  const read = ({ toolArguments }: AnswerView): unknown[] => toolArguments.map((text) => jsonOf(text ?? '') ?? text);
  return fieldsAgree(read(one), read(other));
}

/** The object or list in a text, with or without a code fence; undefined if there is none. */
function jsonOf(text: string): unknown {
  const inner = /^\s*```(?:json)?\s*([\s\S]*?)```\s*$/.exec(text)?.[1] ?? text;
  if (!/^\s*[[{]/.test(inner)) return undefined;
  try {
    return JSON.parse(inner);
  } catch {
    return undefined;
  }
}

/** The share of all fields that both have with the same value. Two empty objects agree. */
function fieldsAgree(one: unknown, other: unknown): number {
  const [a, b] = [leavesOf(one), leavesOf(other)];
  let same = 0;
  for (const [path, value] of a) if (b.get(path) === value) same++;
  const all = new Set([...a.keys(), ...b.keys()]).size;
  return all === 0 ? 1 : same / all;
}

/** The values by path, with normalised numbers and text. */
function leavesOf(value: unknown): Map<string, string> {
  const leaves = new Map<string, string>();
  const walk = (at: unknown, path: string): void => {
    if (leaves.size >= mostLeaves) return;
    if (typeof at === 'object' && at !== null && Object.keys(at).length > 0) {
      for (const [key, child] of Object.entries(at)) walk(child, `${path}/${key}`);
      return;
    }
    leaves.set(path, typeof at === 'string' ? plain(at) : JSON.stringify(at));
  };
  walk(value, '');
  return leaves;
}

/** Lower case, single spaces between words, no punctuation at the ends. */
function plain(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/^[\s"'`*_(]+|[\s"'`*_).!,;:]+$/g, '');
}

function labelOf(text: string): string | null {
  const short = text.trim();
  // Numbers have several spellings and are compared as numbers.
  if (short.length === 0 || short.length > labelUnits || short.includes('\n') || /\d/.test(short)) return null;
  const label = plain(short);
  return label.split(' ').length > labelWords ? null : label;
}

/** The letter of a choice at the start of an answer, or stated as the answer. */
function optionOf(text: string): string | null {
  const begins = /^[\s*_]*\(?([A-J])(?:[.):]|\*\*|\s*$)/.exec(text)?.[1];
  return begins ?? lastOf(text, /\b(?:answer|option|choice)\b(?:\s+is)?[\s:*_(]{0,8}([A-J])\b(?![a-z'’])/g);
}

const number = String.raw`[-+−]?[$€£]?\s*\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?`;

/** The number that a text consists of, or states as its answer. */
function numberOf(text: string): string | null {
  const alone = new RegExp(`^[\\s*$]*(${number})[\\s%*.$]*$`).exec(text.trim())?.[1];
  const found =
    alone ??
    lastOf(text, new RegExp(String.raw`\\boxed\{\s*(${number})\s*\}`, 'g')) ??
    lastOf(text, new RegExp(`####\\s*(${number})`, 'g')) ??
    lastOf(text, new RegExp(`\\b(?:answer|result|total)\\b[^\\d\\n]{0,40}?(${number})`, 'gi'));
  if (found === null) return null;
  const written = found.replace(/[\s,$€£+]/g, '').replace('−', '-');
  const [above, below] = written.split('/').map(Number);
  const value = below === undefined ? above! : above! / below;
  return Number.isFinite(value) ? value.toPrecision(12) : null;
}

function lastOf(text: string, pattern: RegExp): string | null {
  let last: string | null = null;
  for (const match of text.matchAll(pattern)) last = match[1] ?? null;
  return last;
}
