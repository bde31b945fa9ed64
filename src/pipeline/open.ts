import type { Verdict } from '../classify/types.ts';
import type { ApiName, Operation, PassReason } from '../dialects/types.ts';
import type { PolicyGeneration } from '../policy/types.ts';
import type { ExchangeRecord } from '../provenance/types.ts';
import type { Decision } from '../route/types.ts';

/**
 * An exchange whose answer has not ended. Holds facts only, no prompt text and no body, so that a slow answer costs a
 * few hundred bytes.
 */
export interface OpenExchange {
  readonly kind: ExchangeRecord['kind'];
  readonly id: string;
  /** performance.now() at the request's headers. */
  readonly startedAt: number;
  /** Milliseconds since the epoch at the request's headers. */
  readonly wallTime: number;
  readonly generation: PolicyGeneration;
  readonly workspace: string;
  /** Provider that the app called; null when none was recognised. */
  readonly provider: string | null;
  readonly api: ApiName | null;
  readonly operation: Operation;
  readonly stream: boolean;
  readonly passReason: PassReason | null;
  readonly requestedModel: string | null;
  readonly verdict: Verdict | null;
  readonly decision: Decision | null;
  readonly section: string | null;
  readonly mode: ExchangeRecord['mode'];
  readonly request: ExchangeRecord['request'];
  /** An OpenAI-shaped stream whose app did not ask for usage. */
  readonly usageNotAsked: boolean;
  readonly overheadMs: number;
}
