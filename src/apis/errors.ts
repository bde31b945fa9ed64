import {
  kindOf,
  renderErrorWith,
  renderFailure as renderWith,
  streamFailure,
  type ErrorFacts,
  type Failure,
  type RenderedError,
  type StreamFraming,
} from './common/failure.ts';
import { apis } from './registry.ts';
import type { ApiName } from './types.ts';

/** An error in the format of the API that was called, so that the app's SDK raises its own exception type. */
export function renderError(api: ApiName, facts: ErrorFacts): RenderedError {
  return renderErrorWith(apis[api].errors, facts);
}

/** The failure in the error format of the caller's API. */
export function renderFailure(to: ApiName, failure: Failure): RenderedError & { readonly status: number } {
  return renderWith(apis[to].errors, failure);
}

/**
 * An error event of the API that was called, for a stream whose headers were already sent, so that the app's SDK raises its exception. Only
 * the stream's end may follow. `status`: the status that the error would have had as an answer; 502 by default.
 */
export function renderStreamError(api: ApiName, message: string, status = 502, framing: StreamFraming = 'sse'): Buffer {
  return streamFailure(apis[api].errors, { kind: kindOf(status), status, message }, framing);
}
