import { describe, expect, test } from 'vitest';
import { LABEL } from '../../api/meta.ts';
import { KubeError } from '../../kube/errors.ts';
import type { KubeClient, KubeObject, Live, Resource } from '../../kube/types.ts';
import type { Action } from '../../release/record/actions.ts';
import { ownerReference } from '../../release/record/desired.ts';
import { meta, NOW, release } from '../../release/testing.ts';
import type { Caches } from '../kinds/caches.ts';
import { forgetConflict, noteConflict } from './conflicts.ts';
import type { Scope } from './contact.ts';
import { createMemory } from './memory.ts';

const target = { name: 'web-ledger', uid: 'uid-web-ledger', resourceVersion: '1' };
const action: Action = { kind: 'AnnotateRevision', message: 'update the ledger', target, annotations: {} };

/** A release with this live ledger, and the log of reads and of writes to the cache. */
function scopeWith(live: Partial<Live<KubeObject>['metadata']> | undefined): { scope: Scope; log: string[] } {
  const log: string[] = [];
  const object = live && { kind: 'ControllerRevision', metadata: { ...meta('web-ledger'), ...live } };
  const revisions = {
    get: () => ({ metadata: { ...target, namespace: 'shop' } }),
    observeWrite: () => log.push('observed'),
    observeDelete: () => log.push('gone'),
  };
  const client = {
    get: () => {
      log.push('get');
      if (object) return Promise.resolve(object);
      return Promise.reject(new KubeError({ code: 404, reason: 'NotFound', message: '', verb: 'get', path: '' }));
    },
    patch: () => {
      log.push('label');
      return Promise.resolve(object);
    },
  };
  const context = {
    client: client as unknown as KubeClient,
    caches: { revisions } as unknown as Caches,
    now: () => NOW,
    log: () => undefined,
    record: () => undefined,
  } as unknown as Scope['context'];
  return { scope: { context, release: release(), memory: createMemory() }, log };
}

const OURS = { ownerReferences: [ownerReference(meta('web'))] };

describe('a conflict', () => {
  test.each([
    ['that is gone is removed from the cache', undefined, ['get', 'gone']],
    ['that exists is stored in the cache', { ...OURS, labels: { [LABEL.release]: 'web' } }, ['get', 'observed']],
    ['that lost its label gets it again', OURS, ['get', 'label', 'observed']],
    ['that was created again by somebody else is removed from the cache', { uid: 'another' }, ['get', 'gone']],
  ])('is read from the API server the third time: an object %s', async (_title, live, expected) => {
    const { scope, log } = scopeWith(live);
    await noteConflict(scope, action);
    await noteConflict(scope, action);
    expect(log).toEqual([]);
    await noteConflict(scope, action);
    expect(log).toEqual(expected);
  });

  test('counts only in a row', async () => {
    const { scope, log } = scopeWith(OURS);
    for (let time = 0; time < 6; time += 1) {
      await noteConflict(scope, action);
      if (time % 2 === 1) forgetConflict(scope, action);
    }
    expect(log).toEqual([]);
  });

  test.each<[string, Action]>([
    ['Pod', { kind: 'AnnotatePod', message: '', target, annotations: {} }],
    ['ReleaseRollback', { kind: 'KeepAnswer', message: '', target, of: 'ReleaseRollback', answer: '', own: true }],
    ['ReleasePromotion', { kind: 'KeepAnswer', message: '', target, of: 'ReleasePromotion', answer: '', own: false }],
    ['ReleasePromotion', { kind: 'PatchPromotion', message: '', target, status: {} }],
  ])('with a %s reads that object', async (kind, one) => {
    const read: string[] = [];
    const { scope } = scopeWith(undefined);
    const client = {
      get: (resource: Resource) => {
        read.push(resource.kind);
        return Promise.reject(new KubeError({ code: 404, reason: 'NotFound', message: '', verb: 'get', path: '' }));
      },
    };
    const cache = { get: () => undefined };
    const caches = { pods: cache, rollbacks: cache, promotions: cache };
    const context = { ...scope.context, client, caches } as unknown as Scope['context'];
    for (let time = 0; time < 3; time += 1) await noteConflict({ ...scope, context }, one);
    expect(read).toEqual([kind]);
  });
});
