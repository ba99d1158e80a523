/**
 * The schemas of pod templates: the fields of Kubernetes' PodTemplateSpec that the operator reads. They declare the type
 * of each field, so that the API server refuses a value of another type. Kubernetes validates everything else: the
 * schemas add no default, no order and no limit that a template could reach.
 */
import * as z from 'zod';
import { dnsLabel, opaqueObject, stringMap, timestamp } from './common.ts';

const OPEN = { 'x-kubernetes-preserve-unknown-fields': true };

/** Names are unique; server-side apply merges by name. */
export const mapByName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] };

export function metadataOf(objects: string) {
  return z
    .object({
      labels: stringMap.optional().meta({ description: `Labels of ${objects}.` }),
      annotations: stringMap.optional().meta({ description: `Annotations of ${objects}.` }),
    })
    .meta({ description: `Labels and annotations of ${objects}.` });
}

/** An optional field that may also be null, as in a Deployment. Nulls are removed before a spec is parsed. */
function field<Schema extends z.ZodType>(description: string, schema: Schema) {
  return schema.optional().meta({ description, nullable: true });
}

/** More entries than fit into a template (see src/release/state/validation.ts). */
const ENTRIES = 65_536;

function listOf<Schema extends z.ZodType>(item: Schema) {
  return z.array(item).max(ENTRIES);
}

function open<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.looseObject(shape).meta(OPEN);
}

type Fields<Base extends z.ZodObject, Shape extends z.core.$ZodLooseShape> = z.infer<Base> &
  z.infer<z.ZodObject<Shape, z.core.$loose>>;

/**
 * Adds fields that are validated but passed on as they were given. The output of a schema would have its keys in another
 * order, at every depth.
 */
function withFields<Base extends z.ZodObject, Shape extends z.core.$ZodLooseShape>(base: Base, shape: Shape) {
  const judge = z.looseObject(shape);
  const { properties } = z.toJSONSchema(z.looseObject({ ...base.shape, ...shape }), {
    target: 'openapi-3.0',
    io: 'input',
  });
  const judged = base.superRefine((value, context) => {
    for (const issue of judge.safeParse(value).error?.issues ?? []) context.addIssue({ ...issue, code: 'custom' });
  });
  return judged.meta({ ...OPEN, properties }) as unknown as z.ZodType<Fields<Base, Shape>, Fields<Base, Shape>>;
}

/** Adds fields that the API server accepts, and that parsing removes: a change of them changes nothing. */
function withUnused<Base extends z.ZodObject>(base: Base, shape: z.core.$ZodLooseShape): Base {
  const { properties } = z.toJSONSchema(z.object({ ...base.shape, ...shape }), {
    target: 'openapi-3.0',
    io: 'input',
  });
  return base.meta({ properties });
}

function mapOf<Schema extends z.ZodType>(value: Schema) {
  return z.record(z.string(), value);
}

const text = z.string();
const labels = mapOf(z.string().meta({ nullable: true }));
/** A number or a string. A CRD has no type for both that accepts 0.5. */
const quantities = mapOf(z.union([z.string(), z.number()], 'must be a quantity such as 500m or 1Gi').meta(OPEN));

const resources = withFields(z.looseObject({}), {
  requests: field('The requests, by resource.', quantities),
  limits: field('The limits, by resource.', quantities),
});

const namedImage = z.looseObject({
  name: dnsLabel(63, 'The name of the container.'),
  image: z
    .string()
    .min(1)
    .max(1024)
    .meta({ description: 'An image by tag or digest. The operator resolves a tag to a digest once.' }),
});

const container = withFields(namedImage, {
  imagePullPolicy: field('When the image is pulled. Default: IfNotPresent.', text),
  restartPolicy: field('Always makes an init container a sidecar.', text),
  ports: field(
    'The ports. A Service’s targetPort may name one.',
    listOf(
      open({
        name: field('The name of the port.', text),
        protocol: field('The protocol.', text),
        hostPort: field('The port on the VM.', z.int()),
      }),
    ),
  ),
  env: field('Environment variables.', listOf(open({ name: text.meta({ description: 'The name of the variable.' }) }))),
  resources: field('Requests and limits of the container.', resources),
});

/** A Kubernetes container: the fields that the operator reads; other fields are kept. */
export type Container = z.infer<typeof container>;

const requirements = listOf(
  open({
    key: field('The label.', text),
    operator: field('How the label is compared.', text),
    values: field('The values to compare with.', listOf(text)),
  }),
);

const affinity = open({
  nodeAffinity: field(
    'Selects VMs.',
    open({
      requiredDuringSchedulingIgnoredDuringExecution: field(
        'What a VM must match.',
        open({
          nodeSelectorTerms: field(
            'The terms; one of them must match.',
            listOf(
              open({
                matchExpressions: field('Requirements on labels.', requirements),
                matchFields: field('Requirements on fields.', requirements),
              }),
            ),
          ),
        }),
      ),
    }),
  ),
  podAntiAffinity: field(
    'Pods to keep apart from.',
    open({
      requiredDuringSchedulingIgnoredDuringExecution: field(
        'Terms for pods that must not be in the same domain.',
        listOf(opaqueObject('A core/v1 PodAffinityTerm.')),
      ),
    }),
  ),
});

const spread = open({
  topologyKey: field('The label whose values are the domains.', text),
  maxSkew: field('The maximum difference between domains.', z.int()),
  minDomains: field('The minimum number of domains.', z.int()),
  whenUnsatisfiable: field('What happens if the constraint cannot be met.', text),
  labelSelector: field(
    'The pods that count.',
    open({
      matchLabels: field('Labels.', labels),
      matchExpressions: field('Requirements on labels.', requirements),
    }),
  ),
  matchLabelKeys: field('Keys of pod labels that must match too.', listOf(text)),
  nodeAffinityPolicy: field('Whether VMs count that the pod does not select.', text),
  nodeTaintsPolicy: field('Whether VMs count whose taints the pod does not tolerate.', text),
});

const containers = z.looseObject({
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
});

const podSpec = withFields(containers, {
  volumes: field(
    'The volumes.',
    listOf(
      open({
        image: field(
          'An image volume. The image is pinned like those of containers.',
          open({
            reference: field('The image.', text),
            pullPolicy: field('When the image is pulled. Default: IfNotPresent.', text),
          }),
        ),
        persistentVolumeClaim: field('A volume claim.', opaqueObject('A volume claim.')),
      }),
    ),
  ),
  imagePullSecrets: field('Secrets to pull with.', listOf(open({ name: field('The name of the Secret.', text) }))),
  serviceAccountName: field('The service account.', text),
  serviceAccount: field('The older name of serviceAccountName.', text),
  restartPolicy: field('Must be Always, as in every Deployment.', text),
  hostNetwork: field('Whether the pods use the network of their VM.', z.boolean()),
  nodeSelector: field('Labels of the VMs, in addition to those of the pool.', labels),
  tolerations: field(
    'Tolerations, in addition to those of the pool.',
    listOf(
      open({
        key: field('The taint’s key.', text),
        operator: field('How the value is compared.', text),
        value: field('The taint’s value.', text),
        effect: field('The taint’s effect.', text),
      }),
    ),
  ),
  affinity: field('Where the pods may run.', affinity),
  topologySpreadConstraints: field('How the pods are spread.', listOf(spread)),
  overhead: field('The overhead of the runtime, by resource.', quantities),
  resources: field('Pod-level requests and limits.', resources),
});

const unused = 'Accepted as in a Deployment, and not used.';
const unusedText = field(unused, text);
const unusedNumber = field(unused, z.int());
const unusedTime = field(unused, timestamp);
const unusedList = field(unused, listOf(opaqueObject(unused)));

const podMetadata = withUnused(
  z.object({
    labels: field(
      'Labels of the pods. They override app.kubernetes.io/managed-by of the operator; those of apprelease.dev are its own.',
      stringMap,
    ),
    annotations: field('Annotations of the pods.', stringMap),
    finalizers: field('Finalizers of the pods.', listOf(text)),
  }),
  {
    name: unusedText,
    generateName: unusedText,
    namespace: unusedText,
    selfLink: unusedText,
    uid: unusedText,
    resourceVersion: unusedText,
    generation: unusedNumber,
    creationTimestamp: unusedTime,
    deletionTimestamp: unusedTime,
    deletionGracePeriodSeconds: unusedNumber,
    ownerReferences: unusedList,
    managedFields: unusedList,
  },
);

export const podTemplate = z
  .object({
    metadata: field('The metadata of the pods.', podMetadata),
    spec: podSpec.meta({
      description:
        'A core/v1 PodSpec. The schema describes the fields that the operator reads; all other fields are allowed too.',
    }),
  })
  .meta({ description: 'The PodTemplateSpec of every pool. Images may name tags; the operator pins them to digests.' });
export type PodTemplate = z.infer<typeof podTemplate>;

export const poolTemplateSchema = z
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
                .array(open({ name: z.string().min(1).meta({ description: 'The name of the variable.' }) }))
                .max(256)
                .optional()
                .meta({
                  description:
                    'Variables added or replaced by name. A replacement takes the place of the variable, and new variables come last: $(NAME) in a value expands to a variable before it.',
                  ...mapByName,
                }),
              envFrom: z
                .array(opaqueObject('A core/v1 EnvFromSource.'))
                .max(64)
                .optional()
                .meta({ description: 'Replaces the container’s envFrom.' }),
              resources: resources.optional().meta({ description: 'Replaces the container’s resources.' }),
            }),
          )
          .max(32)
          .optional()
          .meta({
            description: 'Differences per container. Images never differ: every pool runs the same digests.',
            ...mapByName,
          }),
      })
      .optional()
      .meta({ description: 'Differences in the pod spec.' }),
  })
  .meta({ description: 'Differences from spec.template in this pool. Images never differ.' });
export type PoolTemplate = z.infer<typeof poolTemplateSchema>;

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
    // Kubernetes' own rules. Without them, a wrong toleration would only fail in the middle of a rollout.
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
        message: 'tolerationSeconds needs the effect NoExecute',
      },
    ],
  });
export type Toleration = z.infer<typeof toleration>;
