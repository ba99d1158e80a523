/** The schemas of what pods are made from: Kubernetes' own, as far as they are read here. */
import * as z from 'zod';
import { dnsLabel, opaqueObject, stringMap } from './common.ts';

/** No name twice; server-side apply merges by it. */
export const mapByName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] };

export function metadataOf(objects: string) {
  return z
    .object({
      labels: stringMap.optional().meta({ description: `Labels of ${objects}.` }),
      annotations: stringMap.optional().meta({ description: `Annotations of ${objects}.` }),
    })
    .meta({ description: `Labels and annotations of ${objects}.` });
}

const container = z
  .looseObject({
    name: dnsLabel(63, 'The name of the container.'),
    image: z
      .string()
      .min(1)
      .max(1024)
      .meta({ description: 'An image by tag or digest. A tag is resolved to a digest once and never again.' }),
  })
  .meta({ 'x-kubernetes-preserve-unknown-fields': true });

/** A container as Kubernetes has it; the fields that are read here, the others untouched. */
export type Container = z.infer<typeof container>;

export const podTemplate = z
  .object({
    metadata: metadataOf('the pods').optional(),
    spec: z
      .looseObject({
        containers: z
          .array(container)
          .min(1)
          .max(32)
          .meta({ description: 'The containers.', ...mapByName }),
        initContainers: z
          .array(container)
          .max(32)
          .optional()
          .meta({ description: 'The init containers.', ...mapByName }),
      })
      .meta({ description: 'A core/v1 PodSpec.', 'x-kubernetes-preserve-unknown-fields': true }),
  })
  .meta({ description: 'The PodTemplateSpec of every pool. Its images may name tags: they are pinned to digests.' });
export type PodTemplate = z.infer<typeof podTemplate>;

export const poolTemplate = z
  .object({
    metadata: metadataOf('the pods of this pool, added to those of the template').optional(),
    spec: z
      .object({
        serviceAccountName: z.string().max(253).optional().meta({ description: 'The service account in this pool.' }),
        containers: z
          .array(
            z.object({
              name: dnsLabel(63, 'The name of a container of the template.'),
              env: z
                .array(
                  z
                    .looseObject({ name: z.string().min(1).meta({ description: 'The variable.' }) })
                    .meta({ 'x-kubernetes-preserve-unknown-fields': true }),
                )
                .max(256)
                .optional()
                .meta({ description: 'Variables added or replaced by name.', ...mapByName }),
              envFrom: z
                .array(opaqueObject('A core/v1 EnvFromSource.'))
                .max(64)
                .optional()
                .meta({ description: 'Replaces the container’s envFrom.' }),
              resources: opaqueObject('Replaces the container’s resources.').optional(),
            }),
          )
          .max(32)
          .optional()
          .meta({
            description: 'What differs per container. Images never do: every pool runs the same digests.',
            ...mapByName,
          }),
      })
      .optional()
      .meta({ description: 'What differs in the pod spec.' }),
  })
  .meta({ description: 'What differs from spec.template in this pool. Images never do.' });
export type PoolTemplate = z.infer<typeof poolTemplate>;

export const toleration = z
  .object({
    key: z.string().max(317).optional().meta({ description: 'The taint’s key; empty with Exists matches every key.' }),
    operator: z.enum(['Exists', 'Equal', 'Lt', 'Gt']).optional().meta({ description: 'How the value is compared.' }),
    value: z.string().max(63).optional().meta({ description: 'The taint’s value.' }),
    effect: z
      .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
      .optional()
      .meta({ description: 'The taint’s effect; empty matches every effect.' }),
    tolerationSeconds: z.int().optional().meta({ description: 'How long a NoExecute taint is tolerated, in seconds.' }),
  })
  .meta({
    // Kubernetes' own rules: a wrong toleration would come out in the middle of a rollout only.
    'x-kubernetes-validations': [
      {
        rule: "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
        message: 'without a key the operator must be Exists',
      },
      {
        rule: "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
        message: 'the operator Exists has no value',
      },
      {
        rule: "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        message: 'tolerationSeconds belongs to the effect NoExecute',
      },
    ],
  });
export type Toleration = z.infer<typeof toleration>;
