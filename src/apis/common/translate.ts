export type { AnswerOptions, TranslatedAnswer } from './translate-answer.ts';
export { AnswerTranslator, translateAnswer } from './translate-answer.ts';
export type { Failure, FailureKind, StreamFraming } from './failure.ts';
export { renderStreamError, translateStatus } from './failure.ts';
export type { Unsupported } from './losses.ts';
export { neutralDrops } from './losses.ts';
export type { CallerApi, TargetApi, TranslatedRequest, TranslateOptions, TranslationFacts } from './translate-request.ts';
export { apiHeaders, canTranslate, translateRequest } from './translate-request.ts';
