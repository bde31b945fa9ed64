import type { Catalog } from '../catalog/types.ts';
import { SluiceError } from '../lib/errors.ts';
import { compilePolicy } from '../policy/compile.ts';
import { fileOf, isStdin } from './stdin.ts';
import { readPolicyFiles } from '../policy/source.ts';
import { renderProblems } from '../policy/store.ts';
import type { PolicyFile, PolicySnapshot } from '../policy/types.ts';

/** The files of a policy by its path on the command line; what comes on stdin is named so, not by where it is kept meanwhile. */
export function policyFilesAt(path: string): PolicyFile[] {
  const place = fileOf(path);
  return readPolicyFiles(place).map((file) => (isStdin(place) ? { ...file, name: file.name.replace(place, 'stdin') } : file));
}

/** Compiles the policy of a file or folder. Throws SluiceError SLUICE_POLICY_INVALID with its problems, or the error of reading it. */
export function readPolicy(path: string, catalog: Catalog): PolicySnapshot {
  return compiledPolicy(isStdin(path) ? 'stdin' : path, policyFilesAt(path), catalog);
}

/** The same for texts already read; `where` names them. */
export function compiledPolicy(where: string, files: readonly PolicyFile[], catalog: Catalog): PolicySnapshot {
  const { generation, problems } = compilePolicy(files, { catalog });
  if (generation === null)
    throw new SluiceError('SLUICE_POLICY_INVALID', `\n${renderProblems(problems.filter(({ level }) => level === 'error'))}`, { where });
  return generation;
}
