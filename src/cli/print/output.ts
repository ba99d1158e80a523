/** Objects as -o json, yaml and name print them. */
import { stringify } from 'yaml';
import type { KubeObject } from '../../kube/types.ts';

export const FORMATS = ['json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export function isFormat(format: string | undefined): format is Format {
  return FORMATS.some((one) => one === format);
}

/** One object, or a List of several. As kubectl, without managedFields. */
export function printObject(format: Format, object: KubeObject): string {
  if (format === 'name') return `${nameOf(object)}\n`;
  return text(format, withoutManagedFields(object));
}

export function printList(format: Format, objects: readonly KubeObject[]): string {
  if (format === 'name') return objects.map((object) => `${nameOf(object)}\n`).join('');
  const items = objects.map(withoutManagedFields);
  return text(format, { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '' }, items });
}

function text(format: 'json' | 'yaml', value: object): string {
  return format === 'json'
    ? `${JSON.stringify(value, undefined, 4)}\n`
    : stringify(value, { aliasDuplicateObjects: false, indentSeq: false, lineWidth: 0 });
}

/** apprelease.apprelease.dev/web */
function nameOf({ apiVersion = '', kind = '', metadata }: KubeObject): string {
  const group = apiVersion.includes('/') ? `.${apiVersion.split('/')[0] ?? ''}` : '';
  return `${kind.toLowerCase()}${group}/${metadata?.name ?? ''}`;
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _fields, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
}
