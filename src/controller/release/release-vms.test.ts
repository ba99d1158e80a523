import { expect, test } from 'vitest';
import { KubeError } from '../../kube/errors.ts';
import { DO_NOT_DISRUPT } from '../../release/pools/do-not-disrupt.ts';
import type { Pod } from '../../release/record/kube-objects.ts';
import { meta } from '../../release/testing.ts';
import type { ReconcileContext } from './context.ts';
import { releaseVms } from './release-vms.ts';

const MARKED = Object.fromEntries(Object.keys(DO_NOT_DISRUPT).map((key) => [key, true]));

function pod(name: string, holdMarks?: Pod['holdMarks']): Pod {
  return { metadata: meta(name), ready: true, containers: [], ...(holdMarks && { holdMarks }) };
}

test('the pods of a deleted release no longer hold their VMs; one that is gone does not matter', async () => {
  const pods = [pod('gone', MARKED), pod('left', MARKED), pod('bare')];
  const patched: unknown[] = [];
  const context = {
    caches: {
      pods: {
        byIndex: (_index: string, key: string) => (key === 'shop/web' ? pods : []),
        observeWrite: () => undefined,
      },
    },
    client: {
      patch: (_resource: unknown, { name }: { name: string }, { body }: { body: unknown }) => {
        if (name === 'gone')
          return Promise.reject(new KubeError({ code: 404, reason: 'NotFound', message: '', verb: 'patch', path: '' }));
        patched.push([name, body]);
        return Promise.resolve({});
      },
    },
    assertLeading: () => undefined,
  } as unknown as ReconcileContext;
  await releaseVms(context, 'shop/web');
  const annotations = Object.fromEntries(Object.keys(DO_NOT_DISRUPT).map((key) => [key, null]));
  expect(patched).toEqual([['left', { metadata: { uid: 'uid-left', annotations } }]]);
});
