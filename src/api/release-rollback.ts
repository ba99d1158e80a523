import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import { conditions, dnsLabel, observedGeneration, timestamp, versionText } from './common.ts';

const immutable = [{ rule: 'self == oldSelf', message: 'spec is immutable: create a new object instead' }];

export const releaseRollbackSpec = z
  .object({
    release: dnsLabel(40, 'The AppRelease, in the same namespace.'),
    toVersion: versionText
      .optional()
      .meta({ description: 'The target version: its newest revision that is good in the pool.' }),
    toRevision: z.int().min(1).optional().meta({ description: 'The number of the target revision.' }),
    pools: z.array(dnsLabel(63, 'A pool.')).min(1).max(256).optional().meta({
      description: 'The pools to roll back. Default: all; then no pool changes to a newer revision.',
      'x-kubernetes-list-type': 'set',
    }),
    force: z.boolean().default(false).meta({ description: 'Go back past a barrier.' }),
    reason: z.string().max(1024).optional().meta({ description: 'Why, for the record.' }),
    requestedBy: z
      .string()
      .max(253)
      .optional()
      .meta({ description: 'The user who asks for it: must be the user that creates the object.' }),
  })
  .meta({
    description: 'The release, its pools and the target.',
    'x-kubernetes-validations': [
      ...immutable,
      { rule: '!(has(self.toVersion) && has(self.toRevision))', message: 'give toVersion or toRevision, not both' },
    ],
  });

const rollbackPoolStatus = z.object({
  name: z.string().meta({ description: 'The pool.' }),
  from: z.int().optional().meta({ description: 'The revision that the pool served.' }),
  to: z.int().optional().meta({ description: 'The revision that the pool is held at; none if nothing ran.' }),
  message: z.string().optional().meta({ description: 'Why the pool stays at its revision, if it does.' }),
  completedAt: timestamp.optional().meta({ description: 'When the pool served the target.' }),
  supersededBy: z.string().optional().meta({ description: 'The later ReleaseRollback that took over this pool.' }),
});

export const releaseRollbackStatus = z
  .object({
    observedGeneration,
    conditions,
    releaseUID: z.string().optional().meta({ description: 'The UID of the release when the rollback was accepted.' }),
    acceptedAt: timestamp.optional().meta({ description: 'When the rollback was accepted.' }),
    toVersion: z.string().optional().meta({
      description: 'The version that the pools are held at; if the pools differ, all versions, separated by commas.',
    }),
    sequence: z
      .int()
      .optional()
      .meta({ description: 'The sequence number among the accepted rollbacks of the release.' }),
    heldAgainst: z.int().optional().meta({
      description:
        'The wanted revision that the hold keeps out, together with later revisions that have its version or its images.',
    }),
    heldVersion: z.string().optional().meta({
      description:
        'The version of the revision that the hold keeps out. It counts if the record of the revision is lost.',
    }),
    pools: z
      .array(rollbackPoolStatus)
      .max(256)
      .optional()
      .meta({
        description: 'The targets, stored before the first write to a workload.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    endedAt: timestamp.optional().meta({ description: 'When the hold ended. An ended hold never returns.' }),
    endReason: z.string().optional().meta({ description: 'What ended it.' }),
  })
  .meta({ description: 'The observed state of the rollback. It stores the targets and the hold.' });

export type ReleaseRollbackSpec = z.infer<typeof releaseRollbackSpec>;
export type ReleaseRollbackStatus = z.infer<typeof releaseRollbackStatus>;
export type RollbackPoolStatus = z.infer<typeof rollbackPoolStatus>;
export interface ReleaseRollback {
  metadata: ObjectMeta;
  spec: ReleaseRollbackSpec;
  status?: ReleaseRollbackStatus;
}

export const releaseRollbackKind: KindDefinition = {
  kind: 'ReleaseRollback',
  plural: 'releaserollbacks',
  singular: 'releaserollback',
  shortNames: ['rollback'],
  scope: 'Namespaced',
  description:
    'A ReleaseRollback rolls a release back, and holds it there while the AppRelease still names the newer version.',
  spec: releaseRollbackSpec,
  status: releaseRollbackStatus,
  rules: [],
  columns: [
    { name: 'Release', type: 'string', jsonPath: '.spec.release', description: 'The release.' },
    {
      name: 'To',
      type: 'string',
      jsonPath: '.status.toVersion',
      description: 'The version that the pools go back to.',
    },
    {
      name: 'Accepted',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
      description: 'Whether the rollback was accepted.',
    },
    {
      name: 'Complete',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Complete")].status',
      description: 'Whether every pool serves its target.',
    },
    {
      name: 'Hold',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="InForce")].reason',
      description: 'Whether the rollback holds the pools.',
    },
    { name: 'Reason', type: 'string', jsonPath: '.spec.reason', description: 'Why.', priority: 1 },
    { name: 'By', type: 'string', jsonPath: '.spec.requestedBy', description: 'Who asked.', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When the object was created.' },
  ],
};
