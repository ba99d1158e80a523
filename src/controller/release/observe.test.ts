import { expect, test } from 'vitest';
import { release, spec } from '../../release/testing.ts';
import { createMemory } from './memory.ts';
import { observe } from './observe.ts';
import type { ReconcileContext } from './context.ts';

test('what was asked of registries for other images than the release has now is given up', async () => {
  const empty = { get: () => undefined, list: () => [], byIndex: () => [] };
  const caches = new Proxy({}, { get: () => empty }) as ReconcileContext['caches'];
  const calls: unknown[] = [];
  const context = {
    caches,
    seesAllPods: false,
    retainImages: (_release, images) => calls.push(images),
    lookupDigest: (_release, image) => {
      calls.push(image);
      return { state: 'pending' };
    },
  } as Partial<ReconcileContext> as ReconcileContext;
  const template = {
    spec: { containers: [{ name: 'main', image: 'web:2' }], initContainers: [{ name: 'init', image: 'init:1' }] },
  };
  await observe(
    context,
    release(spec({ template, service: undefined, strategy: { type: 'RollingUpdate' } })),
    createMemory(),
    0,
  );
  expect(calls).toEqual([['init:1', 'web:2'], 'init:1', 'web:2']);
});

test('nothing is asked of registries for a spec that is not valid', async () => {
  const empty = { get: () => undefined, list: () => [], byIndex: () => [] };
  const calls: unknown[] = [];
  const context = {
    caches: new Proxy({}, { get: () => empty }) as ReconcileContext['caches'],
    seesAllPods: false,
    retainImages: (_release, images) => calls.push(images),
    lookupDigest: (_release, image) => {
      calls.push(image);
      return { state: 'pending' };
    },
  } as Partial<ReconcileContext> as ReconcileContext;
  const volumes = Array.from({ length: 65 }, (_, index) => ({
    name: `v${index}`,
    image: { reference: `data:${index}` },
  }));
  const template = { spec: { containers: [{ name: 'main', image: 'web:2' }], volumes } };
  const wrong = release(spec({ template, service: undefined, strategy: { type: 'RollingUpdate' } }));
  await observe(context, wrong, createMemory(), 0);
  expect(calls).toEqual([]);
});
