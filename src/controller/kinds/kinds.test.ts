// The rights in manifests/ match the rows of the table: a failure names the row and the verb.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allowedRights } from '../../../test/cluster/audit.ts';
import type { Resource } from '../../kube/types.ts';
import { OWNED } from '../../release/record/actions.ts';
import { APPLIED_KINDS } from '../../release/record/kube-objects.ts';
import { KIND_ROWS } from './kinds.ts';
import { OWNED_ROWS } from './owned.ts';
import type { RbacVerb } from './row.ts';

/** Rights for objects without a cache: events, credentials of registries, the Lease. */
const WITHOUT_ROW = ['events.k8s.io/events', '/secrets', '/serviceaccounts', 'coordination.k8s.io/leases'];

interface Rights {
  resource: Resource;
  verbs: readonly RbacVerb[];
  statusVerbs?: readonly RbacVerb[];
}

const rows: [string, Rights][] = Object.entries(KIND_ROWS);
const allowed = new Set(allowedRights());

/** The rights that a row needs, as `verb group/resource`. */
function rightsOf({ resource, verbs, statusVerbs = [] }: Rights): string[] {
  const target = targetOf(resource);
  return [...verbs.map((verb) => `${verb} ${target}`), ...statusVerbs.map((verb) => `${verb} ${target}/status`)];
}

/** `group/resource`; the core group is the empty string. */
function targetOf({ apiVersion, plural }: Resource): string {
  return `${apiVersion.includes('/') ? apiVersion.replace(/\/.*/, '') : ''}/${plural}`;
}

test.each(rows)('the operator has the rights that the row %s needs', (_name, row) => {
  expect(rightsOf(row).filter((right) => !allowed.has(right))).toEqual([]);
});

test.each(rows)('the row %s is listed and watched', (_name, { verbs }) => {
  expect(verbs).toEqual(expect.arrayContaining(['list', 'watch']));
});

test('the operator has no right that no row needs', () => {
  const needed = new Set(rows.flatMap(([, row]) => rightsOf(row)));
  const unneeded = [...allowed].filter((right) => !needed.has(right));
  expect(unneeded.filter((right) => !WITHOUT_ROW.includes(right.split(' ')[1] ?? ''))).toEqual([]);
});

const ownedKinds = Object.values(OWNED);

test.each(ownedKinds)('%s, which a release owns, has a row with the verbs of its writes', (kind) => {
  const { resource, verbs } = KIND_ROWS[OWNED_ROWS[kind]];
  const isApplied = APPLIED_KINDS.some((applied) => applied === kind);
  expect(resource.kind).toBe(kind);
  expect(verbs).toEqual(expect.arrayContaining(['create', 'delete', ...(isApplied ? ['patch'] : [])]));
});

test.each(ownedKinds)('docs/security.md says that the operator creates %s', (kind) => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/security.md'), 'utf8').replaceAll(/\s+/g, ' ');
  const [, list = ''] = /operator creates (.*?)[.;]/.exec(page) ?? [];
  expect(list).toMatch(new RegExp(`\\b${kind}s\\b`, 'i'));
});
