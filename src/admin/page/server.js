/** An answer later than this is given up, in ms: a connection may be lost without a word, and then no turn would come again. Above the ledger's own limit of a query. */
const longestMs = 70_000;

const send = (path, init = {}) => fetch(path, { signal: AbortSignal.timeout(longestMs), ...init });

/** A JSON answer of the admin server. Rejects with its message, and its code and status as `code` and `status`. */
export async function ask(path, init) {
  const response = await send(path, init);
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error.message), { code: body.error.code, status: response.status });
  return body;
}

/** An answer of the admin server that is no JSON. Rejects as `ask` does. */
export async function askText(path) {
  const response = await send(path);
  if (!response.ok) throw new Error((await response.json()).error.message);
  return response.text();
}

/** Runs now and then again and again while the page is seen; `failed` hears of an error, `done` of a turn without, and the next turn tries again. */
export function every(ms, work, failed, done = () => undefined) {
  const turn = async () => {
    if (!document.hidden) {
      try {
        await work();
        done();
      } catch (error) {
        failed(error);
      }
    }
    setTimeout(turn, ms);
  };
  void turn();
}
