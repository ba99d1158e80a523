/**
 * The schemas of what pods are made from: Kubernetes' own, as far as they are read here. They say of which type a field
 * is, so that the API server refuses what could not be read. All else is Kubernetes' to judge: they add no default, no
 * order and no limit that a template could meet.
 */
import * as z from 'zod';
import { dnsLabel, opaqueObject, stringMap } from './common.ts';

const OPEN = { 'x-kubernetes-preserve-unknown-fields': true };

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

/** A field that may be left out, and be null instead, as in a Deployment: nulls are taken away before a spec is parsed. */
function field<Schema extends z.ZodType>(description: string, schema: Schema) {
  return schema.optional().meta({ description, nullable: true });
}

/** More entries than a template has room for (see validate.ts). */
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
 * An object with more fields, which are judged and handed on as they were given: the output of a schema has its keys, at
 * every depth, in an order of its own.
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

function mapOf<Schema extends z.ZodType>(value: Schema) {
  return z.record(z.string(), value);
}

const text = z.string();
const labels = mapOf(z.string().meta({ nullable: true }));
/** A number or a text; a CRD has no type for both that takes 0.5. */
const quantities = mapOf(z.union([z.string(), z.number()], 'must be a quantity such as 500m or 1Gi').meta(OPEN));

const resources = withFields(z.looseObject({}), {
  requests: field('What is asked for, by resource.', quantities),
  limits: field('What is given at most, by resource.', quantities),
});

const namedImage = z.looseObject({
  name: dnsLabel(63, 'The name of the container.'),
  image: z
    .string()
    .min(1)
    .max(1024)
    .meta({ description: 'An image by tag or digest. A tag is resolved to a digest once and never again.' }),
});

const container = withFields(namedImage, {
  imagePullPolicy: field('When the image is pulled. IfNotPresent unless given.', text),
  restartPolicy: field('Always makes a sidecar of an init container.', text),
  ports: field(
    'The ports; a Service’s targetPort may name one.',
    listOf(
      open({
        name: field('The name of the port.', text),
        protocol: field('Its protocol.', text),
        hostPort: field('The port of the VM.', z.int()),
      }),
    ),
  ),
  env: field('Variables.', listOf(open({ name: text.meta({ description: 'The variable.' }) }))),
  resources: field('What the container asks for and is given.', resources),
});

/** A container as Kubernetes has it; the fields that are read here, the others untouched. */
export type Container = z.infer<typeof container>;

const requirements = listOf(
  open({
    key: field('The label.', text),
    operator: field('How it is compared.', text),
    values: field('With what.', listOf(text)),
  }),
);

const affinity = open({
  nodeAffinity: field(
    'Which VMs.',
    open({
      requiredDuringSchedulingIgnoredDuringExecution: field(
        'What a VM must have.',
        open({
          nodeSelectorTerms: field(
            'One of them must hold.',
            listOf(
              open({
                matchExpressions: field('By labels.', requirements),
                matchFields: field('By fields.', requirements),
              }),
            ),
          ),
        }),
      ),
    }),
  ),
  podAntiAffinity: field(
    'Away from which pods.',
    open({
      requiredDuringSchedulingIgnoredDuringExecution: field(
        'Pods that must not be there.',
        listOf(opaqueObject('A core/v1 PodAffinityTerm.')),
      ),
    }),
  ),
});

const spread = open({
  topologyKey: field('The label whose values are the domains.', text),
  maxSkew: field('How uneven it may be.', z.int()),
  minDomains: field('How many domains there should be.', z.int()),
  whenUnsatisfiable: field('What is done where it cannot be kept.', text),
  labelSelector: field(
    'Which pods count.',
    open({
      matchLabels: field('By labels.', labels),
      matchExpressions: field('By requirements.', requirements),
    }),
  ),
  matchLabelKeys: field('Labels of the pod that count besides.', listOf(text)),
  nodeAffinityPolicy: field('Whether VMs that the pod cannot go to count.', text),
  nodeTaintsPolicy: field('Whether VMs with taints count.', text),
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
          'An image that is mounted: pinned as those of containers are.',
          open({
            reference: field('The image.', text),
            pullPolicy: field('When the image is pulled. IfNotPresent unless given.', text),
          }),
        ),
        persistentVolumeClaim: field('A claim.', opaqueObject('A claim.')),
      }),
    ),
  ),
  imagePullSecrets: field('Secrets to pull with.', listOf(open({ name: field('The name of the Secret.', text) }))),
  serviceAccountName: field('The service account.', text),
  serviceAccount: field('The older name of serviceAccountName.', text),
  restartPolicy: field('Always, as in every Deployment.', text),
  hostNetwork: field('Whether the pods are in the network of their VM.', z.boolean()),
  nodeSelector: field('Labels of the VMs, besides those of the pool.', labels),
  tolerations: field(
    'Taints that are tolerated, besides those of the pool.',
    listOf(
      open({
        key: field('The taint’s key.', text),
        operator: field('How the value is compared.', text),
        value: field('The taint’s value.', text),
        effect: field('The taint’s effect.', text),
      }),
    ),
  ),
  affinity: field('Where the pods may be.', affinity),
  topologySpreadConstraints: field('How the pods are spread.', listOf(spread)),
  overhead: field('What the runtime takes, by resource.', quantities),
  resources: field('What the pod asks for as a whole.', resources),
});

export const podTemplate = z
  .object({
    metadata: metadataOf('the pods').optional(),
    spec: podSpec.meta({
      description:
        'A core/v1 PodSpec. Described are the fields that the operator reads; the others may stand here too.',
    }),
  })
  .meta({ description: 'The PodTemplateSpec of every pool. Its images may name tags: they are pinned to digests.' });
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
                .array(open({ name: z.string().min(1).meta({ description: 'The variable.' }) }))
                .max(256)
                .optional()
                .meta({ description: 'Variables added or replaced by name.', ...mapByName }),
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
            description: 'What differs per container. Images never do: every pool runs the same digests.',
            ...mapByName,
          }),
      })
      .optional()
      .meta({ description: 'What differs in the pod spec.' }),
  })
  .meta({ description: 'What differs from spec.template in this pool. Images never do.' });
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
