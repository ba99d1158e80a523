import * as z from 'zod';
import type { KindDefinition, ObjectMeta } from './common.ts';
import { conditions, dnsLabel, observedGeneration, timestamp, versionText } from './common.ts';

export const releasePromotionSpec = z
  .object({
    release: dnsLabel(40, 'The AppRelease, in the same namespace.'),
    version: versionText.optional().meta({ description: 'The version to promote. Default: the wanted version.' }),
    revision: z.int().min(1).optional().meta({ description: 'The number of the revision to promote.' }),
    stage: dnsLabel(63, 'The stage to promote to.'),
    step: z.int().min(1).max(20).optional().meta({
      description:
        'The number of a step of the stage’s exposure, from 1: lets the version go on from there. Default: admit the version to the stage.',
    }),
    skipSoak: z.boolean().default(false).meta({ description: 'Do not wait for the soak of the previous stage.' }),
    reason: z.string().max(1024).optional().meta({ description: 'Why, for the record.' }),
    requestedBy: z
      .string()
      .max(253)
      .optional()
      .meta({ description: 'The user who asks for it: must be the user that creates the object.' }),
  })
  .meta({
    description: 'The version to promote, and the stage.',
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'spec is immutable: create a new object instead' },
      { rule: '!(has(self.version) && has(self.revision))', message: 'give version or revision, not both' },
      {
        rule: '!(has(self.step) && self.skipSoak)',
        message: 'skipSoak admits a version to a stage: leave it out with a step',
      },
    ],
  });

export const releasePromotionStatus = z
  .object({
    observedGeneration,
    conditions,
    releaseUID: z.string().optional().meta({ description: 'The UID of the release that the promotion is bound to.' }),
    revision: z
      .int()
      .optional()
      .meta({ description: 'The revision that the promotion is bound to since the operator first saw it.' }),
    attempt: z.int().optional().meta({
      description:
        'The attempt of the revision that the promotion admits: 1, or the next one if the revision had failed when the operator first saw the promotion.',
    }),
    completedAt: timestamp
      .optional()
      .meta({ description: 'When the revision entered the stage, or went on from the step.' }),
  })
  .meta({ description: 'The observed state of the promotion.' });

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
  description: 'A ReleasePromotion admits a version to a stage, once.',
  spec: releasePromotionSpec,
  status: releasePromotionStatus,
  rules: [],
  columns: [
    { name: 'Release', type: 'string', jsonPath: '.spec.release', description: 'The release.' },
    { name: 'Stage', type: 'string', jsonPath: '.spec.stage', description: 'The stage.' },
    {
      name: 'Revision',
      type: 'integer',
      jsonPath: '.status.revision',
      description: 'The revision that the promotion is bound to.',
    },
    {
      name: 'Accepted',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Accepted")].status',
      description: 'Whether the promotion was accepted.',
    },
    {
      name: 'Complete',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Complete")].status',
      description: 'Whether the revision entered the stage, or went on from the step.',
    },
    { name: 'By', type: 'string', jsonPath: '.spec.requestedBy', description: 'Who asked.', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'When the object was created.' },
  ],
};
