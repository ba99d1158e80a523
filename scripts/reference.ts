// Generates docs/reference.md: the fields and conditions of every kind, from the CRDs, and the operator's flags.
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { toCustomResourceDefinition, type StructuralSchema } from '../src/api/crd.ts';
import type { CelRule, KindDefinition } from '../src/api/common.ts';
import { KINDS } from '../src/api/kinds.ts';
import { ANNOTATION, API_VERSION, USER_ANNOTATION } from '../src/api/meta.ts';
import { CONDITIONS, reasonsOf, type ConditionInfo } from '../src/api/reasons.ts';
import { helpText } from '../src/process/config.ts';

export const REFERENCE = 'docs/reference.md';

const INTRODUCTION = `# Reference

The kinds of \`${API_VERSION}\`, their fields, conditions and limits, and the operator's flags. \`kubectl explain\` shows the same fields.
[troubleshooting.md](troubleshooting.md) explains the reasons of conditions.`;

/** Each annotation that a user sets. */
const SET_BY_USERS: Record<keyof typeof USER_ANNOTATION, { value: string; on: string; means: string }> = {
  paused: {
    value: '<reason>',
    on: 'AppRelease',
    means: 'Stops promotions, but no rollback, like `spec.paused`. GitOps leaves the annotation alone.',
  },
  adopt: {
    value: '"true"',
    on: 'Service',
    means: 'Lets the operator own the selector of an existing Service: see [moving.md](moving.md).',
  },
  commitTime: {
    value: '<time>',
    on: 'AppRelease',
    means:
      'When the commit of `spec.version` was made (RFC 3339), for the metric `apprelease_lead_time_seconds`. A value that is no time is ignored.',
  },
  maintenance: {
    value: '<reason>',
    on: 'VMPool',
    means: 'Like `spec.maintenance`: see [vm-pools.md](vm-pools.md#a-patch-day). GitOps leaves the annotation alone.',
  },
  routeRemoval: {
    value: 'force',
    on: 'AppRelease',
    means:
      'Removes a route that `spec.route` no longer names, although no other route serves its host names: see [traffic.md](traffic.md).',
  },
};

const ANNOTATIONS = `## Annotations

| Annotation | On | What it does |
| --- | --- | --- |
${Object.entries(SET_BY_USERS)
  .map(([name, { value, on, means }]) =>
    row(`\`${USER_ANNOTATION[name as keyof typeof USER_ANNOTATION]}: ${value}\``, on, means),
  )
  .join('\n')}
| \`${ANNOTATION.answer}\` | ReleaseRollback, ReleasePromotion | Written by the operator: what the object was answered. A restore from a backup needs it: see [restore.md](restore.md). |`;

export async function referencePage(): Promise<string> {
  const flags = `## Flags of the operator\n\n\`\`\`text\n${helpText()}\n\`\`\``;
  const path = join(import.meta.dirname, '..', REFERENCE);
  const text = [INTRODUCTION, ...KINDS.map(kindSection), ANNOTATIONS, flags].join('\n\n');
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}

function kindSection(kind: KindDefinition): string {
  const { schema } = toCustomResourceDefinition(kind).spec.versions[0] ?? {};
  const { spec = {}, status = {} } = schema?.openAPIV3Schema.properties ?? {};
  const short = kind.shortNames.map((name) => `\`${name}\``).join(', ');
  return [
    `## ${kind.kind}\n\n${kind.description} ${kind.scope}. Short name of \`${kind.plural}\`: ${short}.`,
    ruleList(kind.rules),
    ...objectSections(`${kind.kind} spec`, spec),
    ...objectSections(`${kind.kind} status`, status),
    conditionSection(kind.kind as keyof typeof CONDITIONS),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** A section for an object, and one for each nested object. */
function objectSections(title: string, schema: StructuralSchema): string[] {
  const { properties = {}, required } = schema;
  const needed = new Set(required as string[] | undefined);
  const rows = Object.entries(properties).map(([name, field]) =>
    row(`\`${name}\``, typeOf(field), defaultOf(field, needed.has(name)), limitsOf(field), descriptionOf(field)),
  );
  const table = [
    row('Field', 'Type', 'Default', 'Limits', 'Description'),
    row(...Array<string>(5).fill('---')),
    ...rows,
  ];
  const section = [`### ${title}`, descriptionOf(schema), ruleList(rulesOf(schema)), table.join('\n')];
  const inner = Object.entries(properties).flatMap(([name, field]) => {
    // All kinds have the same fields of conditions; conditionSection lists types and reasons.
    if (name === 'conditions') return [];
    const { object, suffix } = innerObject(field);
    return object ? objectSections(`${title}.${name}${suffix}`, object) : [];
  });
  return [section.filter((part) => part !== '').join('\n\n'), ...inner];
}

function innerObject(field: StructuralSchema): { object?: StructuralSchema; suffix: string } {
  const isList = field.type === 'array';
  const inner = isList ? field.items : field;
  return { suffix: isList ? '[]' : '', ...(inner?.properties && { object: inner }) };
}

function typeOf(field: StructuralSchema): string {
  if (field['x-kubernetes-int-or-string'] === true) return 'integer or string';
  if (field.type === 'array') return `list of ${typeOf(field.items ?? {})}s`;
  if (field.additionalProperties) return `map of ${typeOf(field.additionalProperties)}s`;
  if (field.format === 'date-time') return 'time';
  return field.type ?? 'value';
}

function defaultOf({ default: value }: StructuralSchema, isRequired: boolean): string {
  if (isRequired) return 'required';
  return value === undefined ? '' : `\`${JSON.stringify(value)}\``;
}

/** The description without the default, which `kubectl explain` shows and the table has in a column. */
function descriptionOf({ description = '', default: value }: StructuralSchema): string {
  return escape(description.replace(` Default: ${String(value)}.`, ''));
}

interface Limits {
  enum?: string[];
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  maxLength?: number;
  pattern?: string;
}

function limitsOf(field: StructuralSchema): string {
  const { enum: values, minimum, maximum, minItems, maxItems, maxLength, pattern } = field as Limits;
  const keys = field['x-kubernetes-list-map-keys'] as string[] | undefined;
  return [
    values === undefined ? '' : values.map((value) => `\`${value}\``).join(', '),
    range(minimum, maximum),
    range(minItems, maxItems, 'entries'),
    maxLength === undefined ? '' : `at most ${maxLength} characters`,
    pattern === undefined ? '' : `\`${pattern}\``,
    keys === undefined ? '' : `unique by ${keys.join(' and ')}`,
    ...rulesOf(field.items && !field.items.properties ? field.items : {}).map(({ message = '' }) => `each ${message}`),
    ...(field.properties ? [] : rulesOf(field).map(({ message = '' }) => escape(message))),
  ]
    .filter((part) => part !== '')
    .join('; ');
}

function range(least?: number, most?: number, unit = ''): string {
  if (least === undefined && most === undefined) return '';
  if (least === undefined) return `at most ${most} ${unit}`.trimEnd();
  return `${most === undefined ? `at least ${least}` : `${least} to ${most}`} ${unit}`.trimEnd();
}

function rulesOf(schema: StructuralSchema): CelRule[] {
  return (schema['x-kubernetes-validations'] as CelRule[] | undefined) ?? [];
}

function ruleList(rules: readonly CelRule[]): string {
  if (rules.length === 0) return '';
  return ['The API server enforces these rules:', '', ...rules.map(({ message = '' }) => `- ${message}`)].join('\n');
}

function conditionSection(kind: keyof typeof CONDITIONS): string {
  const rows = Object.entries<ConditionInfo>(CONDITIONS[kind]).flatMap(([type, info]) => {
    const given = (['True', 'False', 'Unknown'] as const).filter((status) => reasonsOf(info, status).length > 0);
    return given.map((status, index) => {
      const names = index === 0 ? [`\`${type}\``, info.means] : ['', ''];
      return row(...names, status, reasonsOf(info, status).join(', '));
    });
  });
  const head = row('Condition', 'Meaning of True', 'Status', 'Reasons');
  return [`### ${kind} conditions`, '', head, row(...Array<string>(4).fill('---')), ...rows].join('\n');
}

function row(...cells: string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Plain text in a cell of a Markdown table. */
function escape(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<');
}
