import { spawn } from 'node:child_process';

/** Collects process ids from its input, one a line, `-ID` to forget one; at its end it kills those that are left and removes a folder. */
const script = `
left=
while read -r id; do
  case $id in
    -*) kept=; for each in $left; do [ "-$each" = "$id" ] || kept="$kept $each"; done; left=$kept ;;
    *) left="$left $id" ;;
  esac
done
[ -z "$left" ] || kill -9 $left 2>/dev/null
rm -rf -- "$1"`;

/** Ends processes of this one, and removes its folder, however it ends: killed, too. */
export interface Reaper {
  watch(...ids: readonly number[]): void;
  forget(...ids: readonly number[]): void;
  /** Ends it; what is still watched is killed. */
  close(): Promise<void>;
}

/** Starts a shell that waits for the end of its input, which this process alone holds open. */
export function startReaper(folder: string): Reaper {
  const shell = spawn('sh', ['-c', script, 'reaper', folder], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const over = new Promise<void>((resolve) => shell.once('close', () => resolve()));
  const write = (sign: string, ids: readonly number[]): void =>
    ids.filter((id) => id > 1).forEach((id) => shell.stdin.write(`${sign}${id}\n`));
  return {
    watch: (...ids) => write('', ids),
    forget: (...ids) => write('-', ids),
    close: () => {
      shell.stdin.end();
      return over;
    },
  };
}
