import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import {
  appProtocol,
  dnsLabel,
  duration,
  intOrPercent,
  opaqueObject,
  serviceLabel,
  stringMap,
  userKeys,
  versionText,
} from './common.ts';
import { GROUP } from './meta.ts';
import type { AppReleaseStatus } from './app-release-status.ts';
import { appReleaseStatus } from './app-release-status.ts';
import { mapByName, metadataOf, podTemplate, poolTemplateSchema, toleration } from './pod-template.ts';
import { exposureStep, route, stageMatch } from './route.ts';

export type { Container, PodTemplate, PoolTemplate, Toleration } from './pod-template.ts';

const autoscaling = z
  .object({
    minReplicas: z.int().min(1).max(100000).default(1).meta({ description: 'The minimum number of pods.' }),
    maxReplicas: z.int().min(1).max(100000).meta({ description: 'The maximum number of pods.' }),
    metrics: z.array(opaqueObject('A MetricSpec of autoscaling/v2.')).max(32).optional().meta({
      description:
        'The metrics that set the size, as in an autoscaling/v2 HorizontalPodAutoscaler. Default: 80% of the requested CPU.',
    }),
    behavior: opaqueObject('How fast the size changes, as in an autoscaling/v2 HorizontalPodAutoscaler.').optional(),
  })
  .meta({
    description:
      'A HorizontalPodAutoscaler for the pool, <release>-<pool> (with a short hash if one of the names contains a -). It scales the serving version.',
    'x-kubernetes-validations': [
      { rule: 'self.minReplicas <= self.maxReplicas', message: 'minReplicas must not be more than maxReplicas' },
    ],
  });
export type Autoscaling = z.infer<typeof autoscaling>;

const pool = z.object({
  name: dnsLabel(63, 'The name of the pool of VMs.'),
  replicas: z.int().min(0).max(100000).default(1).meta({
    description:
      'The number of pods. A change that comes with another version waits until that version serves. Not used while another manager, such as kubectl scale or an HPA, sets another size: see replicasReason in the status. With autoscaling: the initial size only.',
  }),
  autoscaling: autoscaling.optional(),
  nodeSelector: stringMap.optional().meta({
    description:
      'The labels of the pool’s nodes: its pods run only there. Default: the nodeSelector of the VMPool of this name.',
  }),
  tolerations: z
    .array(toleration)
    .max(32)
    .optional()
    .meta({ description: 'Tolerations for the taints of the pool’s nodes. Default: those of the VMPool.' }),
  serviceName: serviceLabel(
    'The name of the Service. Default: <release>-<pool>. Pools of one stage may share a Service.',
  ).optional(),
  weight: z.int().min(0).max(100).optional().meta({
    description:
      'The pool’s weight in spec.route: its share is its weight divided by the sum of all. Give it to all pools or to none. Default: the number of pods that the pool should have. The weights of pools that share a Service are added.',
  }),
  template: poolTemplateSchema.optional(),
});
export type Pool = z.infer<typeof pool>;

const stage = z.object({
  name: dnsLabel(63, 'The name of the stage.'),
  soak: duration('How long every pool of this stage must be healthy before a version enters the next stage.').default(
    '0s',
  ),
  approval: z
    .enum(['Automatic', 'Manual'])
    .default('Automatic')
    .meta({ description: 'Manual: a ReleasePromotion must admit the version to this stage.' }),
  prepull: z.boolean().default(false).meta({
    description:
      'Pull a version’s images on every VM of this stage’s pools before the version enters; wait at most progressDeadlineSeconds.',
  }),
  match: z.array(stageMatch).min(1).max(4).optional().meta({
    description:
      'Requests of spec.route with these headers reach the version that entered this stage last, once its pods are ready, whatever the weights. One of the matches is enough.',
    'x-kubernetes-list-type': 'atomic',
  }),
  exposure: z.array(exposureStep).min(1).max(20).optional().meta({
    description:
      'The steps in which the traffic of this stage’s pools goes to a new version. The pools step together. Default: all at once.',
    'x-kubernetes-list-type': 'atomic',
  }),
  pools: z
    .array(pool)
    .min(1)
    .max(16)
    .meta({
      description: 'The pools of this stage. They roll out together.',
      ...mapByName,
    }),
});
export type Stage = z.infer<typeof stage>;

const strategy = z
  .object({
    type: z.enum(['BlueGreen', 'RollingUpdate']).default('BlueGreen').meta({
      description:
        'BlueGreen: one Deployment per revision, and one write switches the Service; needs spec.service. RollingUpdate: one Deployment that is updated in place; a version that changes both the Service’s ports and the template rolls out as with BlueGreen.',
    }),
    maxSurge: intOrPercent
      .optional()
      .meta({ description: 'RollingUpdate: pods above replicas, a number or a percentage. Default 25%.' }),
    maxUnavailable: intOrPercent
      .optional()
      .meta({ description: 'RollingUpdate: pods that may be missing, a number or a percentage. Default 25%.' }),
  })
  .meta({
    description: 'How a pool changes from one revision to the next.',
    'x-kubernetes-validations': [
      {
        rule: "self.type == 'RollingUpdate' || (!has(self.maxSurge) && !has(self.maxUnavailable))",
        message: 'maxSurge and maxUnavailable need type RollingUpdate',
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

// There is no CEL rule for this: CEL estimates an int-or-string as a string of maximum length, so a list costs too much.
const PORT = 'must be a port from 1 to 65535, or the name of a container’s port';

export const servicePort = z.object({
  name: dnsLabel(63, 'The name of the port. Required with several ports.').optional(),
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
            message: 'give each port a name if there are several',
          },
          {
            rule: 'self.all(p, !has(p.name) || self.exists_one(q, has(q.name) && q.name == p.name))',
            message: 'give each port a different name',
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
    warmFor: duration('How long the last good revision keeps running after a switch.').default('30m'),
    warmReplicas: intOrPercent
      .default('100%')
      .meta({ description: 'How many pods of that revision keep running: a number, or a percentage of replicas.' }),
    onFailure: z.enum(['RollbackAll', 'RollbackPool', 'Pause']).default('RollbackAll').meta({
      description:
        'What happens when a revision fails: every pool goes back (RollbackAll), only the failed pool goes back (RollbackPool), or the pools stay until a person decides (Pause).',
    }),
    barrier: z.boolean().default(false).meta({
      description:
        'Blocks rollbacks from this version to older ones (for example after an irreversible migration), except a ReleaseRollback with force. It can be set and removed on the version that runs.',
    }),
    drain: duration('How long old pods keep running after the last endpoint for them is gone.').default('30s'),
  })
  .meta({ description: 'How fast a rollback is, and when the operator rolls back by itself.' });

const OURS = { [`${GROUP}/`]: 'belong to the operator' };

const workloadMetadata = z
  .object({
    labels: userKeys('Labels. They override app.kubernetes.io/managed-by of the operator.', OURS).optional(),
    annotations: userKeys('Annotations.', {
      ...OURS,
      'deployment.kubernetes.io/': 'belong to the controller of Deployments',
    }).optional(),
  })
  .meta({
    description:
      'Labels and annotations of the Deployments, autoscalers and PodDisruptionBudgets, for example for policies and cost reports. A change restarts no pods. template.metadata has those of the pods, service.metadata those of the Services.',
  });

const celUniquePools = {
  // A stage shares pool names only with itself. With sets, 256 pools take 0.2 s; pool by pool they took 3 s.
  rule: 'self.map(s, s.pools.map(p, p.name)).all(a, self.exists_one(t, sets.intersects(a, t.pools.map(p, p.name))))',
  message: 'a pool may be in one stage only: list each pool once',
};

const FIRST_IMAGE = 'self.template.spec.containers[0].image';
const ANY_TAG = '^[^@]*:[^/@]+(@.*)?$';
export const NO_TAG = 'set spec.version: the first container’s image has no tag to take it from';
export const INVALID_TAG =
  'the tag of the first container’s image is not valid: it may have letters, digits and _ . - alone, neither a blank nor a +, and at most 128 characters; a version with a + belongs in spec.version';

const HAS_NEXT = '(has(s.match) || has(s.exposure))';
/** What `-next` leaves of the 63 characters of a Service’s name. */
const MOST_BEFORE_NEXT = 58;
const NEXT_TOO_LONG =
  'the name of a Service <service>-next would be longer than 63 characters: give the pool a serviceName of at most 58';
const NEXT_NEEDS_ROUTE = 'match and exposure lead traffic of spec.route: set spec.route';
const NEXT_NEEDS_BLUE_GREEN =
  'match and exposure need strategy BlueGreen: with RollingUpdate, both versions are in one Deployment';

export const SOME_WEIGHTS = 'give a weight to each pool of all stages, or to none';
export const NO_WEIGHT = 'at least one pool needs a weight above 0';

export const appReleaseSpec = z
  .object({
    version: versionText.optional().meta({
      description:
        'The wanted version, in quotes, because YAML reads 1.5 as a number. Default: the tag of the first container’s image.',
    }),
    template: podTemplate,
    stages: z
      .array(stage)
      .min(1)
      .max(16)
      .meta({
        description:
          'The stages of a promotion, in order. A version enters the next stage only when it is good in this one.',
        ...mapByName,
        'x-kubernetes-validations': [celUniquePools],
      }),
    strategy: strategy.default({ type: 'BlueGreen' }),
    service: service.optional(),
    route: route.optional(),
    workloadMetadata: workloadMetadata.optional(),
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
    progressDeadlineSeconds: z.int().min(1).max(604800).default(600).meta({
      description: 'How long a revision may take to become ready in a pool before it has failed, in seconds.',
    }),
    disruption: z
      .object({
        maxUnavailable: intOrPercent.default('25%').meta({
          description: 'How many pods of a pool a drain may evict at a time: a number, or a percentage, rounded up.',
          'x-kubernetes-validations': [
            {
              rule: "type(self) == int ? self > 0 : self.matches('^[0-9]{1,5}%$') && !self.matches('^0+%$')",
              message:
                'must be a number of pods or a percentage such as 25%, and more than 0: 0 would block every drain forever',
            },
          ],
        }),
        holdVMs: z.boolean().default(false).meta({
          description:
            'Ask Karpenter and the cluster autoscaler, by annotations on the pods, to keep the VMs while a version rolls out in the pool.',
        }),
      })
      .default({ maxUnavailable: '25%', holdVMs: false })
      .meta({ description: 'How drains are limited: one PodDisruptionBudget for each pool and serving revision.' }),
    capacity: z.enum(['Wait', 'Proceed']).default('Wait').meta({
      description:
        'Wait: a version enters a pool only when its pods fit on the VMs there, and no VM is being drained, replaced or patched. Proceed: a version enters at once, so that a cluster autoscaler sees its pending pods. A rollback never waits.',
    }),
    revisionHistoryLimit: z
      .int()
      .min(1)
      .max(100)
      .default(10)
      .meta({ description: 'How many good revisions are kept for rollbacks, besides those in use.' }),
    paused: z
      .boolean()
      .default(false)
      .meta({ description: 'Stops promotions, but no rollback and no move to other VMs.' }),
  })
  .meta({
    description: 'What must run, where, and in which order the pools get it.',
    'x-kubernetes-validations': [
      {
        rule: "self.strategy.type == 'RollingUpdate' || has(self.service)",
        message:
          'strategy BlueGreen switches a Service: set spec.service, or strategy.type RollingUpdate for workers without one',
      },
      {
        rule: `has(self.version) || ${FIRST_IMAGE}.matches('${ANY_TAG}')`,
        message: NO_TAG,
      },
      {
        rule: `has(self.version) || !${FIRST_IMAGE}.matches('${ANY_TAG}') || ${FIRST_IMAGE}.matches('^[^@]*:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@.*)?$')`,
        message: INVALID_TAG,
      },
      {
        rule: 'has(self.service) || self.stages.all(s, s.pools.all(p, !has(p.serviceName)))',
        message: 'a pool’s serviceName needs spec.service',
      },
      {
        rule: '!has(self.route) || has(self.service)',
        message: 'spec.route leads to Services: set spec.service',
      },
      {
        rule: 'self.stages.all(s, s.pools.all(p, has(p.weight))) || self.stages.all(s, s.pools.all(p, !has(p.weight)))',
        message: SOME_WEIGHTS,
      },
      {
        rule: 'self.stages.exists(s, s.pools.exists(p, !has(p.weight) || p.weight > 0))',
        message: NO_WEIGHT,
      },
      {
        rule: `has(self.route) || self.stages.all(s, !${HAS_NEXT})`,
        message: NEXT_NEEDS_ROUTE,
      },
      {
        rule: `self.strategy.type == 'BlueGreen' || self.stages.all(s, !${HAS_NEXT})`,
        message: NEXT_NEEDS_BLUE_GREEN,
      },
      {
        rule: `self.stages.all(s, !${HAS_NEXT} || s.pools.all(p, !has(p.serviceName) || p.serviceName.size() <= ${MOST_BEFORE_NEXT}))`,
        message: NEXT_TOO_LONG,
      },
      {
        rule: '!has(self.route) || !has(self.service) || !has(self.route.rules) || self.route.rules.all(r, !has(r.port) || self.service.ports.exists(p, has(p.name) && p.name == r.port))',
        message: 'the port of each rule in spec.route must be the name of a port in spec.service.ports',
      },
      {
        rule: '!has(self.route) || !has(self.service) || self.service.ports.size() == 1 || (has(self.route.rules) && self.route.rules.all(r, has(r.port)))',
        message: 'give each rule of spec.route a port, by its name: the Service has several ports',
      },
    ],
  });
export type AppReleaseSpec = z.infer<typeof appReleaseSpec>;

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
    {
      rule: `self.spec.stages.all(s, !${HAS_NEXT} || s.pools.all(p, has(p.serviceName) || self.metadata.name.size() + p.name.size() < ${MOST_BEFORE_NEXT}))`,
      message: NEXT_TOO_LONG,
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
    {
      name: 'Stage',
      type: 'string',
      jsonPath: '.status.stage',
      description: 'The last stage that the wanted revision has entered.',
    },
    {
      name: 'Pools',
      type: 'string',
      jsonPath: '.status.readyPools',
      description: 'The number of pools that serve the wanted revision.',
    },
    {
      name: 'Available',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Available")].status',
      description: 'Whether every pool serves a working version.',
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
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When the object was created.' },
  ],
};
