import { describe, expect, test } from 'vitest';
import type { ObjectMeta } from '../../api/common.ts';
import { explain } from '../explain.ts';
import type { Plan } from '../plan.ts';
import { plan } from '../plan.ts';
import { releaseStatus } from '../status/status.ts';
import { meta, NOW } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { world } from '../world-testing.ts';
import type { Observed } from './observed.ts';

/** Revision 2 has entered pool a, and has no Deployment there yet. */
const STARTS: Words = { revisions: { 2: { in: { a: { entered: 5, clock: 5 } } } } };
/** A rollback to revision 1, which has no Deployment in pool a. */
const RETURNS: Words = {
  pools: { a: { serves: 2 } },
  revisions: { 2: { in: { a: { entered: 10 } } } },
  rollback: { against: 2, to: { a: 1 }, names: true },
};

const DELETED = { deletionTimestamp: '2026-01-01T11:59:00Z' };
const NEW_OWNER = [
  { apiVersion: 'apprelease.dev/v1alpha1', kind: 'AppRelease', name: 'web', uid: 'old', controller: true },
];

/** The world with a Deployment of this name, which the new one needs, beside it. */
function holding(words: Words, name: string, metadata: Partial<ObjectMeta>, more: Partial<Observed> = {}): Observed {
  const base = world(words);
  const [like] = base.deployments;
  if (!like) throw new Error('the world has no Deployment');
  const deployment = { ...like, metadata: { ...meta(name, like.metadata), name, ...metadata } };
  return { ...base, deployments: [...base.deployments, deployment], ...more };
}

function created({ actions }: Plan): string[] {
  return actions.flatMap((action) =>
    action.kind === 'ApplyDeployment' && !action.force ? [action.desired.metadata.name] : [],
  );
}

describe('a Deployment is not created while an object that is being deleted has its name', () => {
  test.each<[what: string, words: Words, name: string, metadata: Partial<ObjectMeta>, message: string]>([
    [
      'a finalizer keeps it',
      STARTS,
      'web-a-2',
      { ...DELETED, finalizers: ['example.com/hold'] },
      'Deployment web-a-2 is being deleted, and its finalizers keep its name: wait for their controllers, or remove them: example.com/hold',
    ],
    [
      'a finalizer keeps the target of a rollback',
      RETURNS,
      'web-a-1',
      { ...DELETED, finalizers: ['foregroundDeletion'] },
      'Deployment web-a-1 is being deleted, and its finalizers keep its name: wait for their controllers, or remove them: foregroundDeletion',
    ],
    [
      'it is gone soon',
      STARTS,
      'web-a-2',
      DELETED,
      'Deployment web-a-2 is being deleted, and its name is not free yet',
    ],
    [
      'it belongs to a deleted release',
      STARTS,
      'web-a-2',
      { ownerReferences: NEW_OWNER },
      'Deployment web-a-2 of the deleted AppRelease of this name still exists: the garbage collector removes it, or remove it',
    ],
  ])('%s', (_what, words, name, metadata, message) => {
    expect(created(plan(world(words), NOW))).toEqual([name]);
    const made = plan(holding(words, name, metadata), NOW);
    expect(created(made)).toEqual([]);
    expect(made.wait).toBe(message);
    expect(explain(made).pools[0]).toContain(message);
  });

  test('another name is free', () => {
    expect(created(plan(holding(STARTS, 'web-a-9', DELETED), NOW))).toEqual(['web-a-2']);
  });
});

describe('in a namespace that is being deleted', () => {
  const terminating: Words = { memory: { terminating: true } };

  test('nothing is created, and the release says why', () => {
    const { actions, view } = plan(world({ ...STARTS, ...terminating }), NOW);
    expect(created({ actions } as Plan)).toEqual([]);
    const { conditions = [] } = releaseStatus(view, {});
    const message = 'namespace shop is being deleted: nothing can be created in it';
    for (const type of ['Ready', 'Stalled'])
      expect(conditions.find((one) => one.type === type)).toMatchObject({ reason: 'NamespaceTerminating', message });
  });

  test('a rollback to running pods switches', () => {
    const warm: Words = { ...RETURNS, pools: { a: { serves: 2, beside: { 1: 2 } } }, ...terminating };
    expect(plan(world(warm), NOW).actions.map(({ kind }) => kind)).toContain('ApplyService');
  });
});
