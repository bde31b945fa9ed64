export type { AnswerOptions, TranslatedAnswer } from './answer.ts';
export { AnswerTranslator, translateAnswer } from './answer.ts';
export type { Failure, FailureKind, StreamFraming } from './failure.ts';
export { renderStreamError, translateStatus } from './failure.ts';
export type { Unsupported } from './losses.ts';
export { neutralDrops } from './losses.ts';
export type { CallerApi, TargetApi, TranslatedRequest, TranslateOptions, TranslationFacts } from './request.ts';
export { apiHeaders, canTranslate, translateRequest } from './request.ts';
