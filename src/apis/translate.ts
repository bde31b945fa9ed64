export { neutralDrops } from './common/losses.ts';
export { renderStreamError } from './errors.ts';
export type { AnswerOptions } from './translate-answer.ts';
export { AnswerTranslator, translateAnswer } from './translate-answer.ts';
export type { TranslatedRequest, TranslateOptions } from './translate-request.ts';
export { apiHeaders, canTranslate, translateRequest } from './translate-request.ts';
