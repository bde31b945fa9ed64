import { didYouMean, nearest } from './nearest.ts';
import { ruleVariables } from './rules.ts';

const fields = Object.entries(ruleVariables).flatMap(([variable, known]) => Object.keys(known).map((field) => ({ variable, field })));

/** String and list methods that rules use; CEL has more. */
const methods = ['contains', 'startsWith', 'endsWith', 'matches', 'size'];

const elsewhere = 'The variables and their types are in docs/policy.md.';

/**
 * Suggests a fix for an error at `offset` (UTF-16 units) in a rule's expression, for typical mistakes of people who know other languages.
 */
export function celAdvice(source: string, message: string, offset: number): string {
  const [, kind, name = ''] = /^(No such key|Unknown variable): (\w+)/.exec(message) ?? [];
  if (kind === 'No such key') {
    const variable = /(\w+)\s*\.\s*\??$/.exec(source.slice(0, offset))?.[1] ?? '';
    const known = fields.filter((field) => field.variable === variable).map(({ field }) => field);
    return didYouMean(name, known, known.length === 0 ? elsewhere : `Known: ${known.join(', ')}.`);
  }
  if (kind === 'Unknown variable') {
    const [likely] = nearest(
      name,
      fields.map(({ field }) => field),
      1,
    );
    const homes = fields.filter(({ field }) => field === likely).map(({ variable, field }) => `${variable}.${field}`);
    if (/[=<>]\s*$/.test(source.slice(0, offset))) return `Texts need quotes: '${name}'.`;
    return homes.length === 0
      ? `Known: ${Object.keys(ruleVariables).join(', ')}, provider. Texts need quotes: '${name}'.`
      : `Did you mean ${homes.join(' or ')}?`;
  }
  if (message.startsWith('Unexpected character')) {
    if (source[offset] === '=' || source[offset - 1] === '=') return 'Compare with ==.';
    const word = /(\w*)$/.exec(source.slice(0, offset + 1))![1]!.toLowerCase();
    if ('and or not'.split(' ').some((other) => word !== '' && (other.startsWith(word) || word.startsWith(other))))
      return 'Write && for and, || for or, ! for not.';
    if (word !== '') return "A method is called: request.lastUser.matches('…'), .contains('…').";
    return elsewhere;
  }
  if (message.startsWith('Invalid escape')) return "Write a pattern as r'…', in which a backslash is a backslash: r'\\s'.";
  if (message.startsWith('rules cannot read')) return 'Add it under workspaces.ruleHeaders.';
  if (message.startsWith('no such overload'))
    return 'Compare values of one type: numbers and true or false without quotes, texts with them.';
  if (message.includes('RE2')) return 'Look-around and back-references do not exist there; write it without.';
  const method = /overload for '(?:\w+\.)?(\w+)\(/.exec(message)?.[1];
  if (method !== undefined)
    return method === 'len' || method === 'length' ? 'Write .size().' : didYouMean(method, methods, `Texts have ${methods.join(', ')}.`);
  return elsewhere;
}
