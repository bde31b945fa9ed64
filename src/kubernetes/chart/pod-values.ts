import { z } from 'zod';
import { flag, labels, object, objects, probes, resources, seconds, text } from './parts.ts';

/** Values of the pods and their workloads. */
export const podValues = {
  commonLabels: labels('On every object'),
  commonAnnotations: labels('On every object'),
  annotations: labels('On the Deployment or StatefulSet'),
  replicas: z.int().min(1).default(2).describe('Pods, when autoscaling is off'),
  workers: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe(
      'Processes of Sluice in a pod, behind one socket: one a core that it may use. Not with the shape extension; envoy.concurrency must be as many or more',
    ),
  strategy: object('How the Deployment replaces its pods', { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }),
  updateStrategy: object('How the StatefulSet replaces its pods, with persistence.enabled', { type: 'RollingUpdate' }),
  revisionHistoryLimit: z.int().min(0).default(5).describe('Old revisions that are kept'),
  autoscaling: z
    .strictObject({
      enabled: flag(false, 'A HorizontalPodAutoscaler in place of replicas'),
      minReplicas: z.int().min(1).default(2).describe('Fewest pods'),
      maxReplicas: z.int().min(1).default(10).describe('Most pods'),
      targetCPUUtilizationPercentage: z.int().min(1).max(100).default(70).describe('Share of the CPU request'),
      annotations: labels('On it'),
      behavior: object('As in a HorizontalPodAutoscaler'),
    })
    .prefault({})
    .describe('Scaling by CPU'),
  podDisruptionBudget: z
    .strictObject({
      enabled: flag(true, 'Made when there is more than one replica'),
      maxUnavailable: z
        .union([z.int().min(0), z.string()])
        .default(1)
        .describe('Pods that may be away at once'),
      annotations: labels('On it'),
    })
    .prefault({})
    .describe('For drains of nodes'),
  resources: resources({ cpu: '250m', memory: '256Mi' }, { memory: '768Mi' }).describe("Sluice's container"),
  podSecurityContext: object('As in a pod. OpenShift gives a user of its own: set runAsUser, runAsGroup and fsGroup to null', {
    runAsNonRoot: true,
    runAsUser: 65_532,
    runAsGroup: 65_532,
    fsGroup: 65_532,
    seccompProfile: { type: 'RuntimeDefault' },
  }),
  securityContext: object("As in a container; Sluice's, Envoy's and the test's. OpenShift: set runAsUser and runAsGroup to null", {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    runAsUser: 65_532,
    runAsGroup: 65_532,
    seccompProfile: { type: 'RuntimeDefault' },
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  }),
  probes: probes("Fields of Sluice's probes that are to differ, such as timeoutSeconds"),
  lifecycle: object("In place of Sluice's own, which has Envoy drain before the pod goes"),
  nodeSelector: labels('Nodes that may run it'),
  tolerations: objects('As in a pod'),
  affinity: object('As in a pod'),
  topologySpread: z
    .strictObject({
      enabled: flag(true, 'Spread over zones and nodes'),
      whenUnsatisfiable: z.enum(['ScheduleAnyway', 'DoNotSchedule']).default('ScheduleAnyway').describe('When that cannot be had'),
    })
    .prefault({})
    .describe('Where pods stand'),
  priorityClassName: text('', 'As in a pod'),
  runtimeClassName: text('', 'As in a pod'),
  dnsPolicy: text('', 'As in a pod'),
  dnsConfig: object('As in a pod'),
  hostAliases: objects('As in a pod'),
  podAnnotations: labels('On every pod'),
  podLabels: labels('On every pod'),
  drainSeconds: seconds(25, 'A pod that goes lets open requests and streams end for so long'),
  extraArgs: z.array(z.string()).default([]).describe('Further flags of sluice serve'),
  extraEnv: objects("As in a container; Sluice's"),
  extraEnvFrom: objects("As in a container; Sluice's"),
  extraVolumes: objects('As in a pod'),
  extraVolumeMounts: objects("As in a container; Sluice's"),
  extraInitContainers: objects('As in a pod; before Sluice'),
  extraContainers: objects('As in a pod'),
  extraObjects: z
    .array(z.union([z.looseObject({}), z.string()]))
    .default([])
    .describe('Further objects of the release, as maps or as text; both are templates'),
  serviceAccount: z
    .strictObject({
      create: flag(true, 'Make one'),
      name: text('', "Its name; empty: the release's"),
      annotations: labels('For example for a cloud identity'),
    })
    .prefault({})
    .describe('Who the pods are'),
};
