// Generates schemas/: the JSON schemas of the kinds, for editors (yaml-language-server) and for checks without a cluster (kubeconform).
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { CelRule, KindDefinition } from '../src/api/common.ts';
import type { StructuralSchema } from '../src/api/crd.ts';
import { toCustomResourceDefinition } from '../src/api/crd.ts';
import { API_VERSION, VERSION } from '../src/api/meta.ts';

export const SCHEMAS = 'schemas';

type JsonSchema = Record<string, unknown>;

/** The name that kubeconform's default location has: kind_version.json. */
export function schemaFile({ kind }: KindDefinition): string {
  return `${SCHEMAS}/${kind.toLowerCase()}_${VERSION}.json`;
}

export async function schemaText(kind: KindDefinition): Promise<string> {
  const path = join(import.meta.dirname, '..', schemaFile(kind));
  return format(JSON.stringify(jsonSchema(kind)), { ...(await resolveConfig(path)), filepath: path });
}

/** As strict as kubectl: an unknown field is an error. The rules of CEL stay with the API server, except patterns. */
export function jsonSchema(kind: KindDefinition): JsonSchema {
  const { openAPIV3Schema } = toCustomResourceDefinition(kind).spec.versions[0]?.schema ?? {};
  const { spec = {}, status = {} } = openAPIV3Schema?.properties ?? {};
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: kind.kind,
    description: kind.description,
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    additionalProperties: false,
    properties: {
      apiVersion: { const: API_VERSION },
      kind: { const: kind.kind },
      metadata: { description: 'Standard object metadata.', type: 'object' },
      spec: converted(spec),
      status: converted(status),
    },
  };
}

/** Keywords that mean the same in both dialects. */
const SAME = [
  'description',
  'type',
  'default',
  'enum',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'required',
];

function converted(schema: StructuralSchema): JsonSchema {
  const { properties, items, additionalProperties, format: given } = schema;
  const isOpen = schema['x-kubernetes-preserve-unknown-fields'] === true;
  const same = Object.fromEntries(SAME.flatMap((key) => (schema[key] === undefined ? [] : [[key, schema[key]]])));
  return {
    ...same,
    ...(schema['x-kubernetes-int-or-string'] === true && { type: ['integer', 'string'] }),
    ...(given === 'date-time' && { format: given }),
    ...patternOf(schema),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, converted(v)])),
    }),
    ...(properties && !isOpen && { additionalProperties: false }),
    ...(additionalProperties && { additionalProperties: converted(additionalProperties) }),
    ...(items && { items: converted(items) }),
    ...(schema['nullable'] === true && typeof same['type'] === 'string' && { type: [same['type'], 'null'] }),
  };
}

const PATTERN = /^self\.matches\('([^']*)'\)$/;

/** The pattern of a text, and the message that editors show. A pattern does not apply to null. */
function patternOf(schema: StructuralSchema): JsonSchema {
  const rules = (schema['x-kubernetes-validations'] as CelRule[] | undefined) ?? [];
  const [found] = rules.flatMap(({ rule, message }) => {
    const pattern = PATTERN.exec(rule)?.[1];
    return pattern === undefined ? [] : [{ pattern, ...(message !== undefined && { patternErrorMessage: message }) }];
  });
  return found ?? {};
}
