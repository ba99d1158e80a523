import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import { conditions, dnsLabel, timestamp, versionText } from './common.ts';

export const releasePromotionSpec = z
  .object({
    release: dnsLabel(40, 'The AppRelease, in the same namespace.'),
    version: versionText.optional().meta({ description: 'The version to let in. Default: the wanted one.' }),
    revision: z.int().min(1).optional().meta({ description: 'The revision to let in, by its number.' }),
    stage: dnsLabel(63, 'The stage to let it into.'),
    skipSoak: z.boolean().default(false).meta({ description: 'Do not wait for the soak of the stage before.' }),
    reason: z.string().max(1024).optional().meta({ description: 'Why, for the record.' }),
    requestedBy: z
      .string()
      .max(253)
      .optional()
      .meta({ description: 'Who asks: must be the user that creates the object.' }),
  })
  .meta({
    description: 'Which version may enter which stage.',
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'spec is immutable: create a new object instead' },
      { rule: '!(has(self.version) && has(self.revision))', message: 'give version or revision, not both' },
    ],
  });

export const releasePromotionStatus = z
  .object({
    conditions,
    releaseUID: z.string().optional().meta({ description: 'The UID of the release that this was bound to.' }),
    revision: z.int().optional().meta({ description: 'The revision that this was bound to on first sight.' }),
    completedAt: timestamp.optional().meta({ description: 'When the stage was entered.' }),
  })
  .meta({ description: 'What became of it.' });

export type ReleasePromotionSpec = z.infer<typeof releasePromotionSpec>;
export type ReleasePromotionStatus = z.infer<typeof releasePromotionStatus>;
export interface ReleasePromotion {
  metadata: ObjectMeta;
  spec: ReleasePromotionSpec;
  status?: ReleasePromotionStatus;
}

export const releasePromotionKind: KindDefinition = {
  kind: 'ReleasePromotion',
  plural: 'releasepromotions',
  singular: 'releasepromotion',
  shortNames: ['promotion'],
  scope: 'Namespaced',
  description: 'A ReleasePromotion lets a version into a stage. It is spent when the stage is entered.',
  spec: releasePromotionSpec,
  status: releasePromotionStatus,
  rules: [],
  columns: [
    { name: 'Release', type: 'string', jsonPath: '.spec.release', description: 'The release.' },
    { name: 'Stage', type: 'string', jsonPath: '.spec.stage', description: 'The stage.' },
    { name: 'Revision', type: 'integer', jsonPath: '.status.revision', description: 'The revision it was bound to.' },
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
      description: 'Whether the stage was entered.',
    },
    { name: 'By', type: 'string', jsonPath: '.spec.requestedBy', description: 'Who asked.', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When it was created.' },
  ],
};
