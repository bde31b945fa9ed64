import type { AnswerSide, RequestSide } from '../api.ts';
import { commonFinishes } from './finishes.ts';
import { plainLimitHeaders } from './limit-headers.ts';

/** Requests that are not read. */
export const unreadRequest: RequestSide = {
  member: null,
  path: null,
  modes: [],
  everywhere: true,
  operationName: null,
  schemaAt: [],
  shape: null,
  asks: false,
  tied: null,
};

/** Answers of which nothing is known. */
export const unreadAnswer: AnswerSide = {
  events: null,
  deltas: null,
  usage: null,
  view: null,
  finishes: commonFinishes,
  usageEvent: null,
  arrayStreams: false,
  longEnd: false,
  managed: false,
  idHeader: null,
  limitHeaders: plainLimitHeaders,
  replay: null,
};
