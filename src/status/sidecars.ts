import { counted } from '../lib/counted.ts';

/** The gateways in apps' pods of all namespaces. */
export type Sidecars =
  | {
      readonly state: 'listed';
      readonly pods: number;
      /** Pods whose two containers of the gateway are ready. */
      readonly ready: number;
      readonly namespaces: number;
      /** Pods with another image of Sluice than the release has. */
      readonly otherImage: number;
    }
  /** Pods of other namespaces may not be listed. */
  | { readonly state: 'unknown'; readonly why: string };

/** One line of the report, and what needs attention. */
export function sidecarText(sidecars: Sidecars): { readonly line: string; readonly notes: readonly string[] } {
  if (sidecars.state === 'unknown') return { line: 'sidecars unknown', notes: [`sidecars cannot be counted: ${sidecars.why}`] };
  const { pods, ready, namespaces, otherImage } = sidecars;
  const where = pods === 0 ? '' : ` in ${counted(namespaces, 'namespace')}`;
  return {
    line: `sidecars ${ready} of ${counted(pods, 'pod')}${where} ready`,
    notes: [
      ...(ready < pods ? [`sidecars not ready: ${pods - ready} of ${pods}`] : []),
      ...(otherImage > 0 ? [`${counted(otherImage, 'sidecar')} with another image than the release: restart their pods`] : []),
    ],
  };
}
