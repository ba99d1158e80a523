import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import { conditions, dnsLabel, timestamp, versionText } from './common.ts';

const immutable = [{ rule: 'self == oldSelf', message: 'spec is immutable: create a new object instead' }];

export const releaseRollbackSpec = z
  .object({
    release: dnsLabel(40, 'The AppRelease, in the same namespace.'),
    toVersion: versionText
      .optional()
      .meta({ description: 'The version to return to: its newest revision that is good in the pool.' }),
    toRevision: z.int().min(1).optional().meta({ description: 'The revision to return to, by its number.' }),
    pools: z.array(dnsLabel(63, 'A pool.')).min(1).max(256).optional().meta({
      description: 'The pools to take back. Default: all; then no pool is moved forward.',
      'x-kubernetes-list-type': 'set',
    }),
    force: z.boolean().default(false).meta({ description: 'Go back behind a barrier all the same.' }),
    reason: z.string().max(1024).optional().meta({ description: 'Why, for the record.' }),
    requestedBy: z
      .string()
      .max(253)
      .optional()
      .meta({ description: 'Who asks: must be the user that creates the object.' }),
  })
  .meta({
    description: 'Which release goes back to what.',
    'x-kubernetes-validations': [
      ...immutable,
      { rule: '!(has(self.toVersion) && has(self.toRevision))', message: 'give toVersion or toRevision, not both' },
    ],
  });

const rollbackPoolStatus = z.object({
  name: z.string().meta({ description: 'The pool.' }),
  from: z.int().optional().meta({ description: 'The revision that it served.' }),
  to: z.int().optional().meta({ description: 'The revision that it is held at; none where nothing ran.' }),
  message: z.string().optional().meta({ description: 'Why it stays, where it does.' }),
  completedAt: timestamp.optional().meta({ description: 'When it served the target.' }),
  supersededBy: z.string().optional().meta({ description: 'The later ReleaseRollback that took this pool over.' }),
});

export const releaseRollbackStatus = z
  .object({
    conditions,
    releaseUID: z.string().optional().meta({ description: 'The UID of the release when this was accepted.' }),
    acceptedAt: timestamp.optional().meta({ description: 'When it was accepted.' }),
    toVersion: z.string().optional().meta({
      description: 'The version that the pools are held at; where they differ, all of them, separated by commas.',
    }),
    sequence: z.int().optional().meta({ description: 'Its place among the accepted rollbacks of the release.' }),
    heldAgainst: z.int().optional().meta({
      description:
        'The wanted revision that this keeps out, and with it those that are recorded later with its version or its images.',
    }),
    heldVersion: z.string().optional().meta({
      description: 'The version of the revision that this keeps out, where its record is lost.',
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
    endedAt: timestamp.optional().meta({ description: 'When the hold ended; it never returns.' }),
    endReason: z.string().optional().meta({ description: 'What ended it.' }),
  })
  .meta({ description: 'What became of it; the targets and the hold are kept here.' });

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
    'A ReleaseRollback takes a release back, and keeps it there while the AppRelease still names the newer version.',
  spec: releaseRollbackSpec,
  status: releaseRollbackStatus,
  rules: [],
  columns: [
    { name: 'Release', type: 'string', jsonPath: '.spec.release', description: 'The release.' },
    { name: 'To', type: 'string', jsonPath: '.status.toVersion', description: 'The version that it goes back to.' },
    {
      name: 'Accepted',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
      description: 'Whether it was accepted.',
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
      description: 'Whether it keeps the pools where they are.',
    },
    { name: 'Reason', type: 'string', jsonPath: '.spec.reason', description: 'Why.', priority: 1 },
    { name: 'By', type: 'string', jsonPath: '.spec.requestedBy', description: 'Who asked.', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When it was created.' },
  ],
};
