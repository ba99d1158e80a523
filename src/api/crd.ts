import * as z from 'zod';
import type { KindDefinition, PrinterColumn } from './common.ts';
import { GROUP, VERSION } from './meta.ts';

/**
 * The schema dialect of CRDs
 * (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
 */
export interface StructuralSchema {
  description?: string;
  type?: string;
  properties?: Record<string, StructuralSchema>;
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema;
  [keyword: string]: unknown;
}

/** The part of an apiextensions.k8s.io/v1 CustomResourceDefinition that this project uses. */
export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string };
  spec: {
    group: string;
    names: {
      kind: string;
      listKind: string;
      plural: string;
      singular: string;
      shortNames: string[];
      categories: string[];
    };
    scope: KindDefinition['scope'];
    versions: {
      name: string;
      served: boolean;
      storage: boolean;
      additionalPrinterColumns: PrinterColumn[];
      schema: { openAPIV3Schema: StructuralSchema };
      subresources: { status: Record<string, never> };
    }[];
  };
}

/** The keywords of a CRD's schema that this project uses, in the order of the output. */
const KEYWORDS = [
  'description',
  'type',
  'format',
  'nullable',
  'default',
  'enum',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'maxProperties',
  'anyOf',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-validations',
  'required',
  'properties',
  'items',
  'additionalProperties',
] as const;

/** The status of an object that the operator has not seen, so that kstatus (helm --wait, Flux) does not take it for current. */
const UNSEEN = { observedGeneration: -1 };

/**
 * The CRD of a kind.
 * @throws Error that names the field whose zod schema has no equivalent in a CRD
 */
export function toCustomResourceDefinition(kind: KindDefinition): CustomResourceDefinition {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: kind.shortNames,
        // Must differ from the names of kinds: otherwise `kubectl get apprelease web` would use the category.
        categories: ['apprelease-all'],
      },
      scope: kind.scope,
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: kind.columns,
          schema: { openAPIV3Schema: rootSchema(kind) },
          subresources: { status: {} },
        },
      ],
    },
  };
}

function rootSchema(kind: KindDefinition): StructuralSchema {
  return {
    description: kind.description,
    type: 'object',
    ...(kind.rules.length > 0 && { 'x-kubernetes-validations': kind.rules }),
    required: ['spec'],
    properties: {
      apiVersion: { description: 'The version of the schema of this object.', type: 'string' },
      kind: { description: 'The kind of this object.', type: 'string' },
      metadata: { type: 'object' }, // The API server describes it and allows no more here.
      spec: structuralSchema(kind.spec, 'spec'),
      status: structuralSchema(kind.status.meta({ ...kind.status.meta(), default: UNSEEN }), 'status'),
    },
  };
}

/**
 * The structural schema of a zod schema. Errors contain `path`.
 * @throws Error that names the field whose zod schema has no equivalent in a CRD
 */
export function structuralSchema(schema: z.ZodType, path: string): StructuralSchema {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'throw' });
  return structural(Object.fromEntries(Object.entries(json)), path);
}

function structural(node: Record<string, unknown>, path: string): StructuralSchema {
  const schema = adapted({ ...node, ...describedDefault(node) });
  const foreign = Object.keys(schema).find((keyword) => schema[keyword] !== undefined && !isKnown(keyword, schema));
  if (foreign !== undefined) throw new Error(`${path}: a CRD’s schema has no ${foreign}`);
  return Object.fromEntries(
    KEYWORDS.filter((keyword) => schema[keyword] !== undefined).map((keyword) => [
      keyword,
      converted(keyword, schema[keyword], path),
    ]),
  );
}

/** A CRD's schema has no unions but int-or-string. */
function isKnown(keyword: string, schema: Record<string, unknown>): boolean {
  if (keyword === 'anyOf') return schema['x-kubernetes-int-or-string'] === true;
  return KEYWORDS.some((known) => known === keyword);
}

function converted(keyword: (typeof KEYWORDS)[number], value: unknown, path: string): unknown {
  switch (keyword) {
    case 'properties':
      return Object.fromEntries(
        Object.entries(value as Record<string, Record<string, unknown>>).map(([name, property]) => [
          name,
          structural(property, `${path}.${name}`),
        ]),
      );
    case 'items':
      return structural(value as Record<string, unknown>, `${path}[]`);
    case 'additionalProperties':
      return structural(value as Record<string, unknown>, `${path}{}`);
    default:
      return value;
  }
}

/** Adds the default to the description, because `kubectl explain` shows no defaults. */
function describedDefault({ description, default: value }: Record<string, unknown>): Record<string, unknown> {
  const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return typeof description === 'string' && isScalar ? { description: `${description} Default: ${value}.` } : {};
}

/** Converts one node to Kubernetes' dialect, without its children. */
function adapted(node: Record<string, unknown>): Record<string, unknown> {
  if (node['x-kubernetes-int-or-string'] === true) {
    return { ...node, anyOf: [{ type: 'integer' }, { type: 'string' }] };
  }
  if (node['x-kubernetes-preserve-unknown-fields'] === true) {
    // No type, so any value: a CRD cannot list several types.
    return { ...node, properties: nonEmpty(node.properties), additionalProperties: undefined, anyOf: undefined };
  }
  if (node.type === 'integer') return { ...node, ...integerBounds(node) };
  return node;
}

function nonEmpty(properties: unknown): unknown {
  return Object.keys(properties ?? {}).length > 0 ? properties : undefined;
}

/** zod limits every integer to the range of a double; Kubernetes has formats for that. */
function integerBounds({ minimum, maximum }: Record<string, unknown>): Record<string, unknown> {
  const max = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  return {
    format: typeof max === 'number' && max < 2 ** 31 ? 'int32' : 'int64',
    minimum: minimum === Number.MIN_SAFE_INTEGER ? undefined : minimum,
    maximum: max,
  };
}
