/** A response of the admin server. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export function json(status: number, value: object): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

export function failure(status: number, code: string, message: string): Answer {
  return json(status, { error: { code, message } });
}
