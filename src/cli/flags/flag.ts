import { Option, type Command } from 'commander';
import { SluiceError } from '../../lib/errors.ts';

/**
 * One flag of a command. Its key in the table is its name: `policyKept` is `--policy-kept`, and `SLUICE_POLICY_KEPT` in the environment.
 */
export interface Flag<T> {
  /** Placeholder of its value in help: `<file>`. */
  readonly value: string;
  readonly about: string;
  /** Default value, as text. */
  readonly fallback?: string;
  /** Description of the default if it is not a fixed text. */
  readonly otherwise?: string;
  /** Keys of other flags that this one requires. */
  readonly needs?: readonly string[];
  /** Keys of other flags that cannot be combined with this one. */
  readonly excludes?: readonly string[];
  /** Parses the text of a value; `where`: the flag as it is written. Throws SluiceError. */
  readonly read: (text: string, where: string) => T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The values of a table's flags; null if not given. */
export type FlagValues<Table extends FlagTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Flag<infer T>
    ? T | (Table[Key] extends { readonly fallback: string } ? never : null)
    : never;
};

export function flagName(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

export function flagVariable(key: string): string {
  return `SLUICE_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** A flag's description, with its default. */
function aboutText({ about, otherwise }: Flag<unknown>): string {
  return otherwise === undefined ? about : `${about} (default: ${otherwise})`;
}

/** Adds the flags of a table to a command. An environment variable applies if a flag is not given; an empty one is ignored. */
export function takeFlags(command: Command, table: FlagTable): Command {
  for (const [key, flag] of Object.entries(table)) {
    const option = new Option(`${flagName(key)} ${flag.value}`, aboutText(flag));
    const text = process.env[flagVariable(key)] || flag.fallback;
    command.addOption(text === undefined ? option : option.default(text));
  }
  return command.addHelpText('after', '\nEach flag is an environment variable, too: --policy-kept is SLUICE_POLICY_KEPT.');
}

/** The checked values of the flags given to a command. Throws SLUICE_CLI_USAGE, which names the flag. */
export function readFlags<Table extends FlagTable>(table: Table, given: Readonly<Record<string, string | undefined>>): FlagValues<Table> {
  for (const [key, flag] of Object.entries(table)) {
    if (given[key] === undefined) continue;
    const missing = (flag.needs ?? []).filter((other) => given[other] === undefined);
    if (missing.length > 0)
      throw new SluiceError('SLUICE_CLI_USAGE', `it needs ${missing.map(flagName).join(' and ')}.`, { where: flagName(key) });
    const other = (flag.excludes ?? []).find((one) => given[one] !== undefined);
    if (other !== undefined)
      throw new SluiceError('SLUICE_CLI_USAGE', `it is not taken beside ${flagName(other)}: one of them says it.`, {
        where: flagName(key),
      });
  }
  return Object.fromEntries(
    Object.entries(table).map(([key, flag]) => {
      const text = given[key];
      return [key, text === undefined ? null : flag.read(text, flagName(key))];
    }),
  ) as FlagValues<Table>;
}
