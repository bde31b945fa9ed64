import { uuidv7 } from '../record/id.ts';
import type { RequestFacts } from '../record/record.ts';

/** What one such call differs in from another. */
type Particulars = Pick<
  RequestFacts,
  | 'kind'
  | 'wallTime'
  | 'generation'
  | 'workspace'
  | 'user'
  | 'caller'
  | 'provider'
  | 'api'
  | 'operation'
  | 'stream'
  | 'requestedModel'
  | 'verdict'
  | 'section'
  | 'mode'
  | 'request'
  | 'arm'
>;

/** Facts for the record of a call that no app made: a mirrored request, or one to the judge. Nothing was decided, counted or cached for it. */
export function extraCallFacts(particulars: Particulars): RequestFacts {
  return {
    ...particulars,
    id: uuidv7(),
    budgets: [],
    passReason: null,
    decision: null,
    cache: 'off',
    cacheEntry: null,
    trace: null,
    overheadMs: 0,
  };
}
