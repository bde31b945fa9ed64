import { hash } from 'node:crypto';
import type { ExperimentMatch, UnitKind } from '../policy/experiment-types.ts';

/** Position of a unit between 0 and 1, fixed for an experiment and unit. A unit within a share stays within any larger one. */
export function position(experiment: string, unit: string): number {
  return Number.parseInt(hash('sha256', `${experiment}\0${unit}`).slice(0, 12), 16) / 2 ** 48;
}

/** The unit that stays in one arm: `session` is the conversation's key, or null. */
export function unitOf(
  by: UnitKind,
  request: { readonly id: string; readonly workspace: string; readonly session: string | null },
): string {
  switch (by) {
    case 'session':
      return request.session ?? request.id;
    case 'workspace':
      return request.workspace;
    case 'request':
      return request.id;
  }
}

export function takesPart({ workspaces, providers }: ExperimentMatch, workspace: string, provider: string): boolean {
  if (providers !== null && !providers.has(provider)) return false;
  return (
    workspaces === null || workspaces.some((name) => (name.endsWith('*') ? workspace.startsWith(name.slice(0, -1)) : name === workspace))
  );
}
