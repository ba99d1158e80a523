import { describe, expect, test } from 'vitest';
import type { AppRelease } from '../../api/app-release.ts';
import { plan } from '../../release/plan.ts';
import { NOW, release, spec } from '../../release/testing.ts';
import type { ReconcileContext } from './context.ts';
import { createMemory } from './memory.ts';
import { observe } from './observe.ts';
import { createReconciler } from './reconcile.ts';

const EMPTY = { get: () => undefined, list: () => [], byIndex: () => [] };
const WORKER = { service: undefined, strategy: { type: 'RollingUpdate' } };

/** `calls`: the calls of the resolver, in order; the images to retain are a list. */
function contextFor(known: AppRelease): { context: ReconcileContext; calls: unknown[] } {
  const calls: unknown[] = [];
  const releases = { ...EMPTY, get: () => known, observeWrite: () => undefined };
  const caches = new Proxy({}, { get: (_, name) => (name === 'releases' ? releases : EMPTY) });
  const context: Partial<ReconcileContext> = {
    caches: caches as ReconcileContext['caches'],
    client: {
      create: () => Promise.reject(new Error('nothing is written')),
      patch: () => Promise.resolve(known),
    } as unknown as ReconcileContext['client'],
    seesAllPods: false,
    now: () => NOW,
    record: () => undefined,
    assertLeading: () => undefined,
    log: () => undefined,
    retainImages: (_release, images) => calls.push(images),
    lookupDigest: (_release, image) => {
      calls.push(image);
      return { state: 'pending' };
    },
  };
  return { context: context as ReconcileContext, calls };
}

const template = {
  spec: { containers: [{ name: 'main', image: 'web:2' }], initContainers: [{ name: 'init', image: 'init:1' }] },
};
const two = release(spec({ template, ...WORKER }));

test('look-ups of images that the release no longer has are stopped', async () => {
  const { context, calls } = contextFor(two);
  await expect(createReconciler(context)('shop/web', new AbortController().signal)).rejects.toThrow(
    'nothing is written',
  );
  expect(calls).toEqual(['init:1', 'web:2', ['init:1', 'web:2']]);
});

describe('observe', () => {
  test('looks up no digest: the plan does, and gets the same answer each time', async () => {
    const { context, calls } = contextFor(two);
    const seen = await observe(context, two, createMemory(), NOW);
    expect(calls).toEqual([]);
    plan(seen, NOW);
    plan(seen, NOW);
    expect(calls).toEqual(['init:1', 'web:2']);
  });

  test('looks up no digest for a spec that is not valid', async () => {
    const volumes = Array.from({ length: 65 }, (_, index) => ({
      name: `v${index}`,
      image: { reference: `data:${index}` },
    }));
    const wrong = release(spec({ template: { spec: { ...template.spec, volumes } }, ...WORKER }));
    const { context, calls } = contextFor(wrong);
    await createReconciler(context)('shop/web', new AbortController().signal);
    expect(calls).toEqual([]);
  });
});
