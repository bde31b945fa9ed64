import type { ModelsVerdict } from '../router/candidates/types.ts';
import { retier } from '../classify/index.ts';
import type { ParsedRequest } from '../apis/types.ts';
import type { CompiledRule, PolicySnapshot, PolicySection } from '../policy/types.ts';
import type { ExchangeRecord } from '../record/types.ts';
import type { DecideInput } from '../route/types.ts';

/** Why a record cannot be replayed. Closed list. */
export type Unreplayable = 'not-decided' | 'from-cache' | 'older-record' | 'unknown-provider' | 'policy-off';

/** Inputs of a decision that the record does not hold. Closed list. */
export type Approximation = 'text' | 'headers' | 'session';

export interface Rebuilt {
  readonly input: DecideInput;
  /** Complete only after the input was decided: a rule that was evaluated and cannot be answered is added. */
  readonly approximations: ReadonlySet<Approximation>;
  /** Names of the rules that were evaluated and that the record cannot answer. */
  readonly unknownRules: ReadonlySet<string>;
}

/** Rebuilds a record's request for another policy. Records hold no prompts: inputs that need the prompt are approximated, and reported. */
export function rebuild(record: ExchangeRecord, generation: PolicySnapshot): Rebuilt | Unreplayable {
  if (record.kind === 'cached') return 'from-cache';
  const { verdict, provider: providerName, api, requestedModel, decision } = record;
  if (
    record.kind !== 'decision' ||
    verdict === null ||
    decision === null ||
    providerName === null ||
    api === null ||
    requestedModel === null
  )
    return 'not-decided';
  // Absent in records of earlier versions.
  const { asks, caller } = {
    asks: (record.request as Partial<ExchangeRecord['request']>).asks ?? null,
    caller: (record as Partial<ExchangeRecord>).caller ?? null,
  };
  if (asks === null || caller === null) return 'older-record';
  const provider = generation.providers.get(providerName);
  if (provider === undefined) return 'unknown-provider';
  const section = generation.section(record.workspace, providerName);
  if (section.mode === 'off') return 'policy-off';
  const approximations = approximationsOf(section, record);
  const unknownRules = new Set<string>();
  const rules = section.rules.map((rule) =>
    answerable(rule, record, asks.userUnits, (name) => {
      approximations.add('text');
      unknownRules.add(name);
    }),
  );
  const exchange = requestOf(record, asks, { api, model: requestedModel });
  return {
    input: {
      exchange,
      verdict: { ...verdict, ...retier(verdict, promptTokensOf(record), section.classifier.thresholds) },
      ...(decision.models === undefined || !replays(decision.models, section, record) ? {} : { models: decision.models }),
      ...(decision.learned === undefined || section.learned === null ? {} : { learned: decision.learned }),
      caller: {
        workspace: record.workspace,
        ...caller,
        session: null,
        user: (record as Partial<ExchangeRecord>).user ?? null,
        headers: new Map(),
        now: Date.parse(record.time),
      },
      provider,
      section: { ...section, rules },
      generation,
      // Whether a request can be translated to another API was checked when it was decided; here the policy's chains are assumed to work.
      canTranslate: () => true,
    },
    approximations,
    unknownRules,
  };
}

/** The request as far as the record holds it. */
function requestOf(
  record: ExchangeRecord,
  asks: NonNullable<ExchangeRecord['request']['asks']>,
  { api, model }: Pick<ParsedRequest, 'api' | 'model'>,
): ParsedRequest {
  return {
    api,
    operation: record.operation,
    model,
    modelSpans: [],
    pathModel: null,
    stream: record.stream,
    bodyBytes: record.request.bytes,
    system: '',
    // The length scales estimates of translations; the words are known only if the policy keeps them.
    lastUser: record.request.promptStart ?? ' '.repeat(asks.userUnits),
    question: null,
    context: '',
    textTruncated: true,
    textBytes: asks.userUnits,
    promptTokens: promptTokensOf(record),
    messages: record.request.messages ?? 1,
    userTurns: asks.userTurns,
    lastIsToolResult: false,
    tools: record.request.tools ?? 0,
    toolNames: [],
    images: record.request.images ?? 0,
    audioInputs: asks.audioInputs,
    files: asks.files,
    audioOutput: asks.audioOutput,
    jsonOutput: asks.jsonOutput,
    maxOutputTokens: asks.maxOutputTokens,
    temperature: null,
    n: asks.answers,
    reasoning: asks.reasoning,
    includeUsage: null,
    session: null,
    user: null,
    opening: null,
    parameters: (asks.parameters ?? []).map(([name, value]) => ({ name, value })),
    limitKey: null,
    bodyOpen: 0,
  };
}

const promptTokensOf = ({ request }: ExchangeRecord): number => request.estimatedTokens ?? 0;

/** Whether a section compares the same models for this request as the record did; otherwise nothing is known of its candidates. */
function replays(
  { candidates }: ModelsVerdict,
  { models, candidates: tiered }: PolicySection,
  { requestedModel, verdict }: ExchangeRecord,
): boolean {
  if (models === null || verdict === null || requestedModel === null || !models.for.has(requestedModel)) return false;
  const targets = models.list ?? tiered[verdict.tier];
  return (
    targets.length === candidates.length && targets.every(({ provider, model }, at) => candidates[at]!.model === `${provider}/${model}`)
  );
}

const userText = /\brequest\.lastUser\b/;
const otherText = /\brequest\.(?:system|toolNames)\b/;

/**
 * A rule over text that the record does not hold in full is unknown: it never matches, even if an empty text would match (as with a negated
 * `contains`).
 */
function answerable(
  rule: CompiledRule,
  { request: { promptStart } }: ExchangeRecord,
  userUnits: number,
  unknown: (name: string) => void,
): CompiledRule {
  const whole = promptStart !== null && promptStart.length >= userUnits;
  if (!otherText.test(rule.source) && (whole || !userText.test(rule.source))) return rule;
  return {
    ...rule,
    matches: () => {
      unknown(rule.name);
      return false;
    },
  };
}

const headerWords = /\bcaller\.(?:headers|session)\b/;

function approximationsOf(section: PolicySection, record: ExchangeRecord): Set<Approximation> {
  const found = new Set<Approximation>();
  if (record.request.promptStart === null && section.sensitivity.some(({ then }) => then.kind !== 'mask')) found.add('text');
  if (section.rules.some(({ source }) => headerWords.test(source))) found.add('headers');
  if (section.sessions !== null) found.add('session');
  return found;
}
