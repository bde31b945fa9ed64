/** A response of the admin server. */
export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export function json(status: number, value: object): AdminAnswer {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

export function failure(status: number, code: string, message: string): AdminAnswer {
  return json(status, { error: { code, message } });
}
