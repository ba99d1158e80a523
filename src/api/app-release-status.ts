/** The status of an AppRelease. */
import * as z from 'zod';
import { conditions, observedGeneration, timestamp } from './common.ts';
import { mapByName } from './pod-template.ts';

const READINESS = ['Warm', 'Cached', 'Cold', 'Unknown', 'Impossible'] as const;

const poolStatus = z.object({
  name: z.string().meta({ description: 'The name of the pool.' }),
  stage: z.string().optional().meta({ description: 'The stage of the pool.' }),
  service: z.string().optional().meta({ description: 'The Service of the pool.' }),
  version: z.string().optional().meta({ description: 'The version that the Service selects.' }),
  revision: z.int().optional().meta({ description: 'The revision that the Service selects.' }),
  wantedRevision: z.int().optional().meta({ description: 'The revision that the pool should serve.' }),
  replicas: z.int().meta({ description: 'The wanted number of pods.' }),
  readyReplicas: z.int().meta({ description: 'The number of ready pods of the serving revision.' }),
  replicasReason: z.string().optional().meta({
    description:
      'Why the pool does not have spec.replicas: the size that another manager set on the serving Deployment, by whom, and how to hand it back; or the size that it keeps until a version serves.',
  }),
  digest: z
    .string()
    .optional()
    .meta({ description: 'The digest of the first container’s image in the serving revision.' }),
  traffic: z
    .object({
      percent: z.string().meta({ description: 'The share of all traffic of the route, such as 45% or 0.5%.' }),
      weight: z.int().meta({ description: 'The weight of the Service in the route.' }),
      message: z.string().optional().meta({ description: 'Why the weight differs from that of the spec.' }),
      exposure: z
        .object({
          revision: z.int().meta({ description: 'The revision that gets the traffic of the Service <service>-next.' }),
          percent: z.string().meta({ description: 'Its part of the traffic of the pool, such as 10%.' }),
          total: z.string().meta({ description: 'Its part of all traffic of the route.' }),
          step: z.int().optional().meta({ description: 'The step of the stage’s exposure, from 1.' }),
          steps: z.int().meta({ description: 'The number of steps.' }),
          until: timestamp.optional().meta({ description: 'When the step, or its wait for gateways, may end.' }),
          message: z.string().meta({ description: 'What the exposure waits for.' }),
        })
        .optional()
        .meta({ description: 'The exposure of a new version in the pool, while it lasts.' }),
      evacuated: z.boolean().optional().meta({
        description: 'The pool is in maintenance, and Gateways have had time to follow the weight 0.',
      }),
    })
    .optional()
    .meta({ description: 'The share that spec.route gives the pool’s Service, which pools may share.' }),
  heldBy: z.string().optional().meta({ description: 'The ReleaseRollback that holds the pool at its revision.' }),
  waitingFor: z.string().optional().meta({ description: 'What the next step of this pool waits for.' }),
  rollback: z
    .object({
      readiness: z.enum(READINESS).meta({
        description:
          'How fast a rollback would be. Warm: one switch. Cached: a container start, because every VM has the images. Cold: an image pull. Unknown: with or without a pull. Impossible: see message.',
      }),
      version: z.string().optional().meta({ description: 'The target version of a rollback that names none.' }),
      revision: z.int().optional().meta({ description: 'The revision of that version.' }),
      standby: z
        .object({
          replicas: z.int().meta({ description: 'The number of pods that should stand by.' }),
          readyReplicas: z.int().meta({ description: 'The number of them that are ready.' }),
        })
        .optional()
        .meta({ description: 'The pods that keep running for the rollback, for rollback.warmFor after the switch.' }),
      message: z.string().optional().meta({ description: 'Why.' }),
    })
    .optional()
    .meta({ description: 'The rollback that is possible in this pool.' }),
});
export type PoolStatus = z.infer<typeof poolStatus>;

const historyEntry = z.object({
  revision: z.int().meta({ description: 'The revision.' }),
  version: z.string().meta({ description: 'The version of the revision.' }),
  images: z.array(z.string()).max(64).meta({ description: 'The images of the revision, with digests.' }),
  createdAt: timestamp.meta({ description: 'When the revision was recorded.' }),
  outcome: z
    .enum(['Pending', 'Progressing', 'Good', 'Failed', 'RolledBack', 'Superseded'])
    .meta({ description: 'The result of the revision.' }),
  by: z.string().optional().meta({ description: 'Who promoted it or rolled it back, if known.' }),
  loosened: z.array(z.string()).max(16).optional().meta({
    description:
      'The gates that changes of the spec loosened while this revision was wanted, each with its time. The audit log of the API server names the users.',
  }),
});
export type HistoryEntry = z.infer<typeof historyEntry>;

export const appReleaseStatus = z
  .object({
    observedGeneration,
    version: z.string().optional().meta({ description: 'The wanted version.' }),
    revision: z.int().optional().meta({ description: 'The wanted revision.' }),
    stage: z.string().optional().meta({ description: 'The last stage that the wanted revision has entered.' }),
    readyPools: z
      .string()
      .optional()
      .meta({ description: 'The number of pools that serve the wanted revision, and of all pools.' }),
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
    description: 'The observed state. Only the operator writes it; erasing it changes nothing that runs.',
  });
export type AppReleaseStatus = z.infer<typeof appReleaseStatus>;
