import type { Exchange } from '../apis/types.ts';
import type { TextFeatures } from './features.ts';
import type { Domain, TaskType } from './types.ts';

/** The kind of work, by the first class that the prompt's words name. */
export function taskOf(exchange: Exchange, { words, seen }: TextFeatures): TaskType {
  if (exchange.lastIsToolResult || (exchange.tools > 0 && exchange.userTurns > 1)) return 'agent';
  if (words.translate !== undefined) return 'translation';
  if (words.classify !== undefined) return 'classification';
  if (words.extract !== undefined) return 'extraction';
  if (words.summarise !== undefined) return 'summary';
  if (words.prove !== undefined) return 'maths';
  if (seen.codeFences > 0 || (words.function !== undefined && (words.implement !== undefined || words.debug !== undefined || words.review !== undefined))) return 'code';
  if (words.maths !== undefined) return 'maths';
  if (words.rewrite !== undefined) return 'rewrite';
  if (words.function !== undefined || words.debug !== undefined) return 'code';
  if (words.design !== undefined || words.plan !== undefined || words.creative !== undefined || words.implement !== undefined) return 'open-ended';
  if (exchange.tools > 0) return 'agent';
  if (words.define !== undefined || words.explain !== undefined || words.compare !== undefined || words.why !== undefined || seen.questions > 0) return 'question';
  return 'unknown';
}

/** The field of knowledge; an expert one wins over code and maths. */
export function domainOf({ words, seen }: TextFeatures): Domain {
  if (words.medical !== undefined) return 'medical';
  if (words.legal !== undefined) return 'legal';
  if (words.finance !== undefined) return 'finance';
  if (seen.codeFences > 0 || words.function !== undefined || words.debug !== undefined) return 'code';
  if (words.prove !== undefined || words.maths !== undefined) return 'maths';
  return 'general';
}
