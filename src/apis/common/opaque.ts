import type { AnswerSide, RequestSide } from '../api.ts';
import { commonFinishes } from './finishes.ts';
import { plainLimitHeaders } from './limit-headers.ts';

/** For APIs whose requests are not read. */
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

/** For APIs whose answers are unknown. */
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
