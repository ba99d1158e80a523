/** Finds what the API server or the operator would refuse in a file. Pure, and without a cluster. */
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { toCustomResourceDefinition } from '../../api/crd.ts';
import type { KindDefinition } from '../../api/common.ts';
import { KINDS } from '../../api/kinds.ts';
import { API_VERSION, GROUP } from '../../api/meta.ts';
import { validateSpec } from '../../release/state/validation.ts';
import type { ParsedDocument, Path, Problem } from './documents.ts';
import { fieldOf, parseYaml, pathOf } from './documents.ts';
import type { Fault } from './schema-rules.ts';
import { brokenRules, unknownFields } from './schema-rules.ts';

/** An object of the API group, which `lint` checks; objects of other groups are left to other tools. */
export interface OwnObject {
  readonly kind: KindDefinition;
  readonly value: {
    readonly metadata?: { readonly name?: string; readonly namespace?: string };
    readonly spec?: unknown;
  };
  readonly document: ParsedDocument;
}

export interface Linted {
  readonly problems: readonly Problem[];
  readonly objects: readonly OwnObject[];
}

export function lintFile(text: string): Linted {
  const { documents, problems } = parseYaml(text);
  const found = documents.flatMap(itemsOf).flatMap((document) => lintDocument(document) ?? []);
  const all = [...problems, ...found.flatMap((one) => one.problems)];
  return {
    problems: all.toSorted((one, other) => one.line - other.line || one.column - other.column),
    objects: found.flatMap(({ object }) => object ?? []),
  };
}

/** The items of a List are objects too. */
function itemsOf(document: ParsedDocument): ParsedDocument[] {
  const { kind, items } = (document.value ?? {}) as { kind?: unknown; items?: unknown };
  if (kind !== 'List' || !Array.isArray(items)) return [document];
  return items.map((value: unknown, index) => ({
    value,
    placeOf: (path) => document.placeOf(['items', index, ...path]),
  }));
}

/** undefined for an object of another group. */
function lintDocument(document: ParsedDocument): { problems: Problem[]; object?: OwnObject } | undefined {
  const value = document.value as Partial<Record<string, unknown>> | null;
  const { apiVersion, kind: kindName } = value ?? {};
  if (typeof apiVersion !== 'string' || apiVersion.split('/')[0] !== GROUP) return undefined;
  const kind = KINDS.find((one) => one.kind === kindName);
  const fault =
    apiVersion === API_VERSION
      ? kind === undefined && {
          path: ['kind'],
          message: `must be one of ${KINDS.map((one) => one.kind).join(', ')}`,
        }
      : { path: ['apiVersion'], message: `must be ${API_VERSION}` };
  if (fault || !kind) return { problems: fault ? [problemAt(document, fault)] : [] };
  const object = { kind, value: value as OwnObject['value'], document };
  return { problems: faultsOf(object).map((one) => problemAt(document, one)), object };
}

export function problemAt(document: ParsedDocument, { path, message }: Fault): Problem {
  return { ...document.placeOf(path), field: fieldOf(path), message };
}

function faultsOf({ kind, value }: OwnObject): Fault[] {
  const schema = toCustomResourceDefinition(kind).spec.versions[0]?.schema.openAPIV3Schema ?? {};
  const { properties: { spec: specSchema = {} } = {} } = schema;
  const { spec, metadata = {} } = value;
  if (metadata.name === undefined && !('generateName' in metadata))
    return [{ path: ['metadata'], message: 'metadata.name is required' }];
  if (spec === undefined) return [{ path: [], message: 'spec is required' }];
  const unknown = unknownFields(specSchema, spec, ['spec']);
  const parsed = kind.spec.safeParse(spec);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => ({ path: ['spec', ...(path as Path)], message }));
    return [...unknown, ...issues];
  }
  const withDefaults = { ...value, metadata: { name: '', ...metadata }, spec: parsed.data };
  const broken = brokenRules(schema, withDefaults);
  if (broken.length > 0 || unknown.length > 0 || kind.kind !== 'AppRelease') return [...unknown, ...broken];
  return operatorFaults(parsed.data as AppReleaseSpec, metadata.name ?? '');
}

/** Checks that the operator makes of a spec that the API server accepted. Which VMPools there are is known only in the cluster. */
function operatorFaults(spec: AppReleaseSpec, name: string): Fault[] {
  const stages = spec.stages.map((stage) => ({
    ...stage,
    pools: stage.pools.map((pool) => ({ nodeSelector: {}, ...pool })),
  }));
  const problem = validateSpec({ ...spec, stages }, name);
  if (!problem) return [];
  const [, field, message] = /^(spec[^: ]*): (.*)$/s.exec(problem.message) ?? [];
  return [{ path: pathOf(field ?? 'spec'), message: message ?? problem.message }];
}
