import * as z from 'zod';

/** A string that matches a pattern. A CEL rule gives the message, because the API server's answer to `pattern` shows only the expression. */
function formatted(pattern: RegExp, message: string, maxLength: number, description?: string) {
  return z
    .string()
    .max(maxLength)
    .refine((text) => pattern.test(text), message)
    .meta({ description, 'x-kubernetes-validations': [{ rule: `self.matches('${pattern.source}')`, message }] });
}

/** A DNS label (RFC 1123), for names of stages and pools. */
export function dnsLabel(maxLength: number, description: string) {
  const message = 'must be a DNS label: lower case letters, digits and -, with a letter or digit at both ends';
  return formatted(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, message, maxLength, description);
}

/** The name of a Service (RFC 1035): a DNS label that begins with a letter. */
export function serviceLabel(description: string) {
  const message = 'must be a DNS label that begins with a letter';
  return formatted(/^[a-z]([-a-z0-9]*[a-z0-9])?$/, message, 63, description);
}

/** A duration as the Gateway API writes it (GEP-2257): 1h30m, 90s, 500ms. */
export function duration(description: string) {
  const message = 'must be a duration such as 30m, 1h30m or 90s';
  return formatted(DURATION, message, 32, `${description} A duration such as 30m, 1h30m or 90s.`);
}

const DURATION = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;

/** Milliseconds of a GEP-2257 duration; undefined for an invalid text. */
export function parseDuration(text: string): number | undefined {
  const unit: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  if (!DURATION.test(text)) return undefined;
  return [...text.matchAll(/(\d+)(ms|h|m|s)/g)].reduce(
    (sum, [, digits, name]) => sum + Number(digits) * (unit[name ?? ''] ?? 0),
    0,
  );
}

export const versionText = formatted(
  /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/,
  'must begin with a letter, a digit or _, and contain only letters, digits and . _ + -',
  128,
);

export const appProtocol = formatted(
  /^([a-z0-9.-]+[/])?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/,
  'must be a protocol such as https, or kubernetes.io/h2c',
  253,
  'The application protocol, such as https or kubernetes.io/h2c.',
);

export const stringMap = z.record(z.string(), z.string());

/** Labels or annotations of a user on an object that the operator makes. `taken`: prefixes of keys that others write. */
export function userKeys(description: string, taken: Readonly<Record<string, string>>) {
  const rules = Object.entries(taken).map(([prefix, why]) => ({
    prefix,
    message: `must have no key that begins with ${prefix}: such keys ${why}`,
  }));
  return stringMap
    .superRefine((map, context) => {
      for (const { prefix, message } of rules)
        if (Object.keys(map).some((key) => key.startsWith(prefix))) context.addIssue({ code: 'custom', message });
      if (Object.keys(map).length > MOST_KEYS)
        context.addIssue({ code: 'custom', message: `must have at most ${MOST_KEYS} keys` });
    })
    .meta({
      description,
      maxProperties: MOST_KEYS,
      'x-kubernetes-validations': rules.map(({ prefix, message }) => ({
        rule: `self.all(key, !key.startsWith('${prefix}'))`,
        message,
      })),
    });
}

const MOST_KEYS = 64;

/** Any JSON object; Kubernetes' own schema validates it. */
export function opaqueObject(description: string) {
  return z.looseObject({}).meta({ description, 'x-kubernetes-preserve-unknown-fields': true });
}

const COUNT_OR_PERCENT = 'must be a number of pods or a percentage such as 25%';

export const intOrPercent = z.union([z.int().min(0), z.string().regex(/^[0-9]{1,5}%$/)], COUNT_OR_PERCENT).meta({
  'x-kubernetes-int-or-string': true,
  'x-kubernetes-validations': [
    { rule: "type(self) == string ? self.matches('^[0-9]{1,5}%$') : self >= 0", message: COUNT_OR_PERCENT },
  ],
});

/** RFC 3339, UTC. */
export const timestamp = z.string().meta({ format: 'date-time' });

/** metav1.Condition (https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md). */
export const conditionSchema = z.object({
  type: z.string().max(316).meta({ description: 'The aspect that the condition is about.' }),
  status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether the condition is true.' }),
  reason: z.string().min(1).max(1024).meta({ description: 'The reason, one CamelCase word for programs.' }),
  message: z.string().max(32768).meta({ description: 'The reason, a text for people.' }),
  lastTransitionTime: timestamp.meta({ description: 'When the status last changed.' }),
  observedGeneration: z
    .int()
    .min(0)
    .optional()
    .meta({ description: 'The generation of the spec that the condition is about.' }),
});
export type Condition = z.infer<typeof conditionSchema>;

export const conditions = z
  .array(conditionSchema)
  .max(16)
  .optional()
  .meta({
    description: 'The current conditions.',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  });

export const observedGeneration = z.int().optional().meta({
  description: 'The generation of the spec that this status is about; -1: the operator has not seen the object.',
});

/** Metadata of an object; only the fields that the operator reads. */
export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  /** Kept only of an object that is being deleted. */
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** The parts of a kind's CRD besides its schemas. */
export interface KindDefinition {
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  scope: 'Namespaced' | 'Cluster';
  description: string;
  spec: z.ZodType;
  status: z.ZodType;
  /** CEL rules over the whole object. */
  rules: CelRule[];
  columns: PrinterColumn[];
}

export interface CelRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  fieldPath?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
}

export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date' | 'boolean';
  jsonPath: string;
  description: string;
  /** 1 shows the column only with `-o wide`. */
  priority?: 1;
}
