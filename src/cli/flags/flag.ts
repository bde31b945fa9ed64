import { Option, type Command } from 'commander';
import { SluiceError } from '../../lib/errors.ts';

/** One flag of a command. Its key in the table is its name: `policyKept` is `--policy-kept`, and `SLUICE_POLICY_KEPT` in the environment. */
export interface Flag<T> {
  /** What its value is, as help shows it: `<file>`. */
  readonly value: string;
  readonly about: string;
  /** Text that counts where nobody gives one. */
  readonly fallback?: string;
  /** What counts then, in words, where it is no text of its own. */
  readonly otherwise?: string;
  /** Keys of other flags that it is nothing without. */
  readonly needs?: readonly string[];
  /** Keys of other flags that say the same in another way. */
  readonly excludes?: readonly string[];
  /** The value of a text; `where`: the flag as it is written. Throws SluiceError. */
  readonly read: (text: string, where: string) => T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** What the flags of a table say; null: nobody gave one. */
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

/** What a flag is about, with what counts where it is not given. */
function aboutText({ about, otherwise }: Flag<unknown>): string {
  return otherwise === undefined ? about : `${about} (default: ${otherwise})`;
}

/** Lets a command take the flags of a table. An environment variable counts where a flag is not given; an empty one is not there. */
export function takeFlags(command: Command, table: FlagTable): Command {
  for (const [key, flag] of Object.entries(table)) {
    const option = new Option(`${flagName(key)} ${flag.value}`, aboutText(flag));
    const text = process.env[flagVariable(key)] || flag.fallback;
    command.addOption(text === undefined ? option : option.default(text));
  }
  return command.addHelpText('after', '\nEach flag is an environment variable, too: --policy-kept is SLUICE_POLICY_KEPT.');
}

/** The checked values of the flags that a command was given. Throws SLUICE_CLI_USAGE, which names the flag. */
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
