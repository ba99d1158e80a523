import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import {
  appProtocol,
  conditions,
  dnsLabel,
  duration,
  intOrPercent,
  opaqueObject,
  serviceLabel,
  stringMap,
  timestamp,
  versionText,
} from './common.ts';
import { mapByName, metadataOf, podTemplate, poolTemplateSchema, toleration } from './pod-template.ts';

export type { Container, PodTemplate, PoolTemplate, Toleration } from './pod-template.ts';

const autoscaling = z
  .object({
    minReplicas: z.int().min(1).max(100000).default(1).meta({ description: 'Pods that there are at least.' }),
    maxReplicas: z.int().min(1).max(100000).meta({ description: 'Pods that there are at most.' }),
    metrics: z.array(opaqueObject('A MetricSpec of autoscaling/v2.')).max(32).optional().meta({
      description:
        'What the size follows, as an autoscaling/v2 HorizontalPodAutoscaler has it. Default: 80% of the CPU.',
    }),
    behavior: opaqueObject(
      'How fast the size follows, as an autoscaling/v2 HorizontalPodAutoscaler has it.',
    ).optional(),
  })
  .meta({
    description:
      'A HorizontalPodAutoscaler of the pool, <release>-<pool> (with a short hash where one of them contains a -), that scales whatever version is served.',
    'x-kubernetes-validations': [
      { rule: 'self.minReplicas <= self.maxReplicas', message: 'minReplicas must not be more than maxReplicas' },
    ],
  });
export type Autoscaling = z.infer<typeof autoscaling>;

const pool = z.object({
  name: dnsLabel(63, 'The name of the pool of VMs.'),
  replicas: z.int().min(0).max(100000).default(1).meta({
    description:
      'Pods in this pool. Left alone once another manager (an HPA) owns the Deployment’s scale. With autoscaling: only what the pool starts with.',
  }),
  autoscaling: autoscaling.optional(),
  nodeSelector: stringMap.optional().meta({
    description:
      'Labels that the pool’s nodes carry: its pods run there only. Default: those of the VMPool of this name.',
  }),
  tolerations: z
    .array(toleration)
    .max(32)
    .optional()
    .meta({ description: 'Tolerations of the taints that the pool’s nodes carry. Default: the VMPool’s.' }),
  serviceName: serviceLabel(
    'The Service’s name; <release>-<pool> unless given. Pools of one stage may share it.',
  ).optional(),
  template: poolTemplateSchema.optional(),
});
export type Pool = z.infer<typeof pool>;

const stage = z.object({
  name: dnsLabel(63, 'The name of the stage.'),
  soak: duration('How long every pool of this stage must have been healthy before the next stage is entered.').default(
    '0s',
  ),
  approval: z
    .enum(['Automatic', 'Manual'])
    .default('Automatic')
    .meta({ description: 'Manual: a ReleasePromotion must let the version into this stage.' }),
  prepull: z.boolean().default(false).meta({
    description:
      'Pull a version’s images on every VM of this stage’s pools before it is entered, for progressDeadlineSeconds at most.',
  }),
  pools: z
    .array(pool)
    .min(1)
    .max(16)
    .meta({
      description: 'The pools of this stage: they roll together.',
      ...mapByName,
    }),
});
export type Stage = z.infer<typeof stage>;

const strategy = z
  .object({
    type: z.enum(['BlueGreen', 'RollingUpdate']).default('BlueGreen').meta({
      description:
        'BlueGreen: a Deployment per revision, the Service switches at once; needs spec.service. RollingUpdate: one Deployment updated in place, but for a version that changes both the Service’s ports and the template: it rolls as with BlueGreen.',
    }),
    maxSurge: intOrPercent
      .optional()
      .meta({ description: 'RollingUpdate: pods above replicas, a number or a percentage. Default 25%.' }),
    maxUnavailable: intOrPercent
      .optional()
      .meta({ description: 'RollingUpdate: pods that may be missing, a number or a percentage. Default 25%.' }),
  })
  .meta({
    description: 'How a pool goes from one revision to the next.',
    'x-kubernetes-validations': [
      {
        rule: "self.type == 'RollingUpdate' || (!has(self.maxSurge) && !has(self.maxUnavailable))",
        message: 'maxSurge and maxUnavailable belong to type RollingUpdate',
      },
      {
        rule: "!has(self.maxSurge) || !has(self.maxUnavailable) || !(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",
        message: 'maxSurge and maxUnavailable must not both be 0: no pod could be replaced',
      },
      {
        rule: "!has(self.maxUnavailable) || type(self.maxUnavailable) == int || self.maxUnavailable.matches('^(100|[0-9]{1,2})%$')",
        message: 'maxUnavailable must be 100% at most',
      },
    ],
  });

// No CEL rule says so: an int-or-string counts as the longest text that there is, and a list of them costs too much.
const PORT = 'must be a port from 1 to 65535, or the name of a container’s port';

export const servicePort = z.object({
  name: dnsLabel(63, 'The port’s name; needed where there are several ports.').optional(),
  port: z.int().min(1).max(65535).meta({ description: 'The Service’s port.' }),
  targetPort: z
    .union([z.int().min(1, PORT).max(65535, PORT), z.string()])
    .optional()
    .meta({
      description: 'The container’s port, by number or name. Default: port.',
      'x-kubernetes-int-or-string': true,
    }),
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP').meta({ description: 'The protocol.' }),
  appProtocol: appProtocol.optional(),
});
export type ServicePort = z.infer<typeof servicePort>;

const service = z
  .object({
    ports: z
      .array(servicePort)
      .min(1)
      .max(32)
      .meta({
        description: 'The ports. They are part of a revision: selector and ports switch in one write.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['port', 'protocol'],
        'x-kubernetes-validations': [
          {
            rule: 'self.size() == 1 || self.all(p, has(p.name))',
            message: 'give each port a name where there are several',
          },
          {
            rule: 'self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))',
            message: 'give each port another name',
          },
        ],
      }),
    type: z
      .enum(['ClusterIP', 'NodePort', 'LoadBalancer'])
      .default('ClusterIP')
      .meta({ description: 'The type of the Services.' }),
    metadata: metadataOf('the Services').optional(),
    sessionAffinity: z.enum(['None', 'ClientIP']).optional().meta({ description: 'Session affinity.' }),
    trafficDistribution: z
      .enum(['PreferClose', 'PreferSameZone', 'PreferSameNode'])
      .optional()
      .meta({ description: 'Which endpoints are preferred.' }),
  })
  .meta({ description: 'The Service of each pool.' });
export type ServiceTemplate = z.infer<typeof service>;

const rollback = z
  .object({
    warmFor: duration('How long the last good revision stays running after a switch.').default('30m'),
    warmReplicas: intOrPercent
      .default('100%')
      .meta({ description: 'How many of its pods stay, a number or a percentage of replicas.' }),
    onFailure: z.enum(['RollbackAll', 'RollbackPool', 'Pause']).default('RollbackAll').meta({
      description:
        'What answers a revision that fails: every pool goes back, only the pool that failed does, or everything stays for a person.',
    }),
    barrier: z.boolean().default(false).meta({
      description:
        'This version cannot be gone back behind (an irreversible migration): only a ReleaseRollback with force does.',
    }),
    drain: duration('How long old pods stay after no endpoint names them any more.').default('30s'),
  })
  .meta({ description: 'What makes going back fast, and what goes back by itself.' });

const celUniquePools = {
  // A stage shares names with no stage but itself. By sets, 256 pools take 0.2 s; pool by pool they took 3 s.
  rule: 'self.map(s, s.pools.map(p, p.name)).all(a, self.exists_one(t, sets.intersects(a, t.pools.map(p, p.name))))',
  message: 'a pool may stand in one stage only: give each pool once',
};

export const appReleaseSpec = z
  .object({
    version: versionText.optional().meta({
      description:
        'The wanted version, in quotes: YAML reads 1.5 as a number. Default: the tag of the first container’s image.',
    }),
    template: podTemplate,
    stages: z
      .array(stage)
      .min(1)
      .max(16)
      .meta({
        description:
          'The stages of promotion, in their order. A version enters the next one only when it is good in this one.',
        ...mapByName,
        'x-kubernetes-validations': [celUniquePools],
      }),
    strategy: strategy.default({ type: 'BlueGreen' }),
    service: service.optional(),
    rollback: rollback.default({
      warmFor: '30m',
      warmReplicas: '100%',
      onFailure: 'RollbackAll',
      barrier: false,
      drain: '30s',
    }),
    minReadySeconds: z
      .int()
      .min(0)
      .max(86400)
      .default(0)
      .meta({ description: 'How long a pod must be ready to count as available, in seconds.' }),
    progressDeadlineSeconds: z
      .int()
      .min(1)
      .max(604800)
      .default(600)
      .meta({ description: 'How long a revision may take to get ready in a pool before it has failed, in seconds.' }),
    disruption: z
      .object({
        maxUnavailable: intOrPercent.default('25%').meta({
          description: 'Pods of a pool that a drain may take at a time, a number or a percentage, rounded up.',
          'x-kubernetes-validations': [
            {
              rule: "type(self) == int ? self > 0 : self.matches('^[0-9]{1,5}%$') && !self.matches('^0+%$')",
              message:
                'must be a number of pods or a percentage such as 25%, and more than 0: 0 would block every drain for ever',
            },
          ],
        }),
        holdVMs: z.boolean().default(false).meta({
          description:
            'Ask Karpenter and the cluster autoscaler, by annotations on the pods, to leave their VMs alone while a version rolls in the pool.',
        }),
      })
      .default({ maxUnavailable: '25%', holdVMs: false })
      .meta({ description: 'What drains may take: one PodDisruptionBudget for each pool and revision that serves.' }),
    capacity: z.enum(['Wait', 'Proceed']).default('Wait').meta({
      description:
        'Wait: a version enters a pool only when its pods fit on the VMs there, and no VM is being drained, replaced or patched. Proceed: it enters at once, so that a cluster autoscaler sees the pods that find no room. A rollback never waits.',
    }),
    revisionHistoryLimit: z
      .int()
      .min(1)
      .max(100)
      .default(10)
      .meta({ description: 'Good revisions that are kept to go back to, besides those in use.' }),
    paused: z
      .boolean()
      .default(false)
      .meta({ description: 'Stops steps forward, never a rollback or a move to other VMs.' }),
  })
  .meta({
    description: 'What must run, where, and in which order it gets there.',
    'x-kubernetes-validations': [
      {
        rule: "self.strategy.type == 'RollingUpdate' || has(self.service)",
        message:
          'strategy BlueGreen switches a Service: give spec.service, or strategy.type RollingUpdate for workers without one',
      },
      {
        rule: "has(self.version) || self.template.spec.containers[0].image.matches('^[^@]*:[A-Za-z0-9][A-Za-z0-9_.-]*(@.*)?$')",
        message: 'give spec.version: the first container’s image has no tag to take it from',
      },
      {
        rule: 'has(self.service) || self.stages.all(s, s.pools.all(p, !has(p.serviceName)))',
        message: 'a pool’s serviceName needs spec.service',
      },
    ],
  });
export type AppReleaseSpec = z.infer<typeof appReleaseSpec>;

const READINESS = ['Warm', 'Cached', 'Cold', 'Unknown', 'Impossible'] as const;

const poolStatus = z.object({
  name: z.string().meta({ description: 'The pool.' }),
  stage: z.string().optional().meta({ description: 'Its stage.' }),
  service: z.string().optional().meta({ description: 'Its Service.' }),
  version: z.string().optional().meta({ description: 'The version that its Service selects.' }),
  revision: z.int().optional().meta({ description: 'The revision that its Service selects.' }),
  wantedRevision: z.int().optional().meta({ description: 'The revision that it is on the way to, or stays at.' }),
  replicas: z.int().meta({ description: 'Pods wanted.' }),
  readyReplicas: z.int().meta({ description: 'Pods ready of the revision that is served.' }),
  digest: z.string().optional().meta({ description: 'The digest of the first container’s image of what is served.' }),
  heldBy: z.string().optional().meta({ description: 'The ReleaseRollback that keeps the pool where it is.' }),
  waitingFor: z.string().optional().meta({ description: 'What the next step of this pool waits for.' }),
  rollback: z
    .object({
      readiness: z.enum(READINESS).meta({
        description:
          'How fast a rollback would be. Warm: a switch. Cached: a container start, every VM has the images. Cold: an image pull. Unknown: a pull or none. Impossible: see message.',
      }),
      version: z.string().optional().meta({ description: 'The version that a rollback without target goes to.' }),
      revision: z.int().optional().meta({ description: 'Its revision.' }),
      message: z.string().optional().meta({ description: 'Why.' }),
    })
    .optional()
    .meta({ description: 'What a rollback of this pool would find.' }),
});
export type PoolStatus = z.infer<typeof poolStatus>;

const historyEntry = z.object({
  revision: z.int().meta({ description: 'The revision.' }),
  version: z.string().meta({ description: 'Its version.' }),
  images: z.array(z.string()).max(64).meta({ description: 'Its images, pinned.' }),
  createdAt: timestamp.meta({ description: 'When it was recorded.' }),
  outcome: z
    .enum(['Pending', 'Progressing', 'Good', 'Failed', 'RolledBack', 'Superseded'])
    .meta({ description: 'What became of it.' }),
  by: z.string().optional().meta({ description: 'Who let it in or took it back, where that is known.' }),
});
export type HistoryEntry = z.infer<typeof historyEntry>;

export const appReleaseStatus = z
  .object({
    observedGeneration: z.int().optional().meta({ description: 'The generation that this status speaks of.' }),
    version: z.string().optional().meta({ description: 'The wanted version.' }),
    revision: z.int().optional().meta({ description: 'The wanted revision.' }),
    stage: z.string().optional().meta({ description: 'The stage that the wanted revision has come to.' }),
    readyPools: z.string().optional().meta({ description: 'Pools that serve the wanted revision, of all.' }),
    conditions,
    pools: z
      .array(poolStatus)
      .max(256)
      .optional()
      .meta({
        description: 'What each pool serves.',
        ...mapByName,
      }),
    history: z.array(historyEntry).max(20).optional().meta({ description: 'The newest revisions, newest first.' }),
  })
  .meta({
    description: 'What is so: a projection, written by the operator alone; to erase it changes nothing that runs.',
  });
export type AppReleaseStatus = z.infer<typeof appReleaseStatus>;

export interface AppRelease {
  metadata: ObjectMeta;
  spec: AppReleaseSpec;
  status?: AppReleaseStatus;
}

export const appReleaseKind: KindDefinition = {
  kind: 'AppRelease',
  plural: 'appreleases',
  singular: 'apprelease',
  shortNames: ['apprel'],
  scope: 'Namespaced',
  description: 'An AppRelease says which version of an app must run, on which pools of VMs, in which order.',
  spec: appReleaseSpec,
  status: appReleaseStatus,
  rules: [
    {
      rule: 'self.metadata.name.size() <= 40',
      message: 'metadata.name must have at most 40 characters: the names of its Deployments and Services begin with it',
    },
    {
      rule: "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
      message: 'metadata.name must be a DNS label that begins with a letter: the names of its Services begin with it',
    },
  ],
  columns: [
    { name: 'Version', type: 'string', jsonPath: '.status.version', description: 'The wanted version.' },
    {
      name: 'State',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'The reason of the Ready condition.',
    },
    { name: 'Stage', type: 'string', jsonPath: '.status.stage', description: 'The stage it has come to.' },
    {
      name: 'Pools',
      type: 'string',
      jsonPath: '.status.readyPools',
      description: 'Pools that serve the wanted revision.',
    },
    {
      name: 'Available',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Available")].status',
      description: 'Whether every pool serves a version that works.',
      priority: 1,
    },
    {
      name: 'Revision',
      type: 'integer',
      jsonPath: '.status.revision',
      description: 'The wanted revision.',
      priority: 1,
    },
    {
      name: 'Message',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'The message of the Ready condition.',
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When it was created.' },
  ],
};
