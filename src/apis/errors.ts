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

/** An error as the API that was called would send it, so that the app's SDK raises its own exception type. */
export function renderError(api: ApiName, facts: ErrorFacts): RenderedError {
  return renderErrorWith(apis[api].errors, facts);
}

/** The failure as the caller's API writes its errors. */
export function renderFailure(to: ApiName, failure: Failure): RenderedError & { readonly status: number } {
  return renderWith(apis[to].errors, failure);
}

/**
 * An error event as the API that was called sends it inside a stream whose headers have long been sent, so that the app's SDK raises its
 * exception. To be followed by the stream's end and nothing else. `status`: what the error would have been as an answer; 502 by itself.
 */
export function renderStreamError(api: ApiName, message: string, status = 502, framing: StreamFraming = 'sse'): Buffer {
  return streamFailure(apis[api].errors, { kind: kindOf(status), status, message }, framing);
}
