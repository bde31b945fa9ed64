import type { ParsedRequest } from '../apis/types.ts';
import type { OverrideDocument } from './options/rules.ts';
import { bareModelName, modelSpellings } from './model-names.ts';
import type { RuleInput } from './types.ts';

type When = OverrideDocument['when'];
type Time = NonNullable<When['time']>;

const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

/**
 * Compiles an override's conditions into one test. `blocks`: the override refuses requests, so it must match a model under any of its
 * names, and the classified task whatever the caller states. Throws RangeError for a time zone that does not exist.
 */
export function compileConditions(when: When, blocks = false): (input: RuleInput) => boolean {
  const tests: ((input: RuleInput) => boolean)[] = [];
  const { quality, userTier, model, task, modality, time } = when;
  if (quality !== undefined) tests.push(oneOf(quality, ({ caller }) => caller.quality));
  if (userTier !== undefined) tests.push(oneOf(userTier, ({ caller }) => caller.userTier));
  if (model !== undefined) {
    tests.push(blocks ? bannedModel(model) : requestedModel(new Set(model)));
  }
  if (task !== undefined) {
    const said = oneOf(task, ({ caller, verdict }) => caller.task ?? verdict.task);
    const classified = oneOf(task, ({ verdict }) => verdict.classifiedTask ?? verdict.task);
    tests.push(blocks ? (input) => said(input) || classified(input) : said);
  }
  if (modality !== undefined) tests.push((input) => modality.some((kind) => carries(kind, input)));
  if (time !== undefined) tests.push(timeTest(time));
  return (input) => {
    for (let at = 0; at < tests.length; at++) if (!tests[at]!(input)) return false;
    return true;
  };
}

function requestedModel(models: ReadonlySet<string>): (input: RuleInput) => boolean {
  return ({ exchange }) => models.has(exchange.model);
}

function bannedModel(models: readonly string[]): (input: RuleInput) => boolean {
  const banned = new Set(models.map(bareModelName));
  const bans = (name: string): boolean => modelSpellings(name).some((spelling) => banned.has(spelling));
  return ({ exchange, knownAs }) => bans(exchange.model) || knownAs?.some(bans) === true;
}

function oneOf(values: readonly string[], read: (input: RuleInput) => string | null): (input: RuleInput) => boolean {
  const set = new Set(values.map((value) => value.toLowerCase()));
  return (input) => {
    const value = read(input);
    return value !== null && set.has(value.toLowerCase());
  };
}

function carries(kind: NonNullable<When['modality']>[number], { exchange, verdict }: RuleInput): boolean {
  const read: Record<typeof kind, (exchange: ParsedRequest) => boolean> = {
    vision: ({ images }) => images > 0,
    audio: ({ audioInputs, audioOutput }) => audioInputs > 0 || audioOutput,
    files: ({ files }) => files > 0,
    tools: ({ tools }) => tools > 0,
    code: () => (verdict.classifiedTask ?? verdict.task) === 'code' || verdict.domain === 'code',
  };
  return read[kind](exchange);
}

function minutes(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

/** Wall-clock time in a named zone, so that daylight saving follows the zone. A window past midnight belongs to the day it began on. */
function timeTest(time: Time): (input: RuleInput) => boolean {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: time.zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const from = minutes(time.from);
  const to = minutes(time.to);
  const wanted = time.days === undefined ? null : new Set<string>(time.days);
  let cachedMinute = NaN;
  let cached = false;
  return ({ caller }) => {
    // Formatting costs microseconds; the result is valid for a minute.
    const minute = Math.floor(caller.now / 60_000);
    if (minute !== cachedMinute) {
      cachedMinute = minute;
      cached = within(format, caller.now, from, to, wanted);
    }
    return cached;
  };
}

function within(format: Intl.DateTimeFormat, now: number, from: number, to: number, wanted: ReadonlySet<string> | null): boolean {
  const parts = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const at = Number(parts['hour']) * 60 + Number(parts['minute']);
  const today = days.findIndex((day) => day === parts['weekday']!.toLowerCase());
  const inWindow = from <= to ? at >= from && at < to : at >= from || at < to;
  if (!inWindow) return false;
  const began = from > to && at < to ? (today + 6) % 7 : today;
  return wanted === null || wanted.has(days[began]!);
}

/** Whether the first conditions hold whenever the second do, so that the second are never reached. */
export function covers(first: When, second: When): boolean {
  return (Object.keys(first) as (keyof When)[]).every((key) => {
    const wide = first[key];
    const narrow = second[key];
    if (wide === undefined) return true;
    if (narrow === undefined) return false;
    if (!Array.isArray(wide) || !Array.isArray(narrow)) return JSON.stringify(wide) === JSON.stringify(narrow);
    // Model names are case-sensitive, header values are not.
    const read = (value: string): string => (key === 'model' ? value : value.toLowerCase());
    const allowed = new Set(wide.map(read));
    return narrow.every((value) => allowed.has(read(value)));
  });
}
