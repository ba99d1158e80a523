import { describe, expect, test } from 'vitest';
import { desiredHash, needsApply, ownedMetadata } from './drift.ts';
import type { DesiredService, Service } from './objects.ts';
import type { Applied } from './observed.ts';
import { liveService, meta, observed } from './testing.ts';

const desired: DesiredService = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop', labels: { a: '1' } },
  spec: { selector: { track: 'web-1' }, ports: [{ port: 80, targetPort: 80 }] },
};
const { memory } = observed();
const own = liveService(desired);

function appliedAs(asked: DesiredService, { metadata }: Service): Applied {
  const { generation, resourceVersion } = metadata;
  return { hash: desiredHash(asked), generation, resourceVersion, metadata: ownedMetadata(asked, { metadata }) };
}

describe('2.7 drift', () => {
  test('what others add and the API server defaults is none', () => {
    const more = {
      metadata: meta('web', { labels: { a: '1', theirs: 'x' } }),
      spec: {
        ...own.spec,
        clusterIP: '10.0.0.1',
        ports: [{ port: 80, targetPort: 80, protocol: 'TCP', nodePort: 30000 }],
      },
    };
    expect(needsApply(memory, desired, more)).toBe(false);
  });

  test.each([
    ['an owned label', { ...own, metadata: meta('web', { labels: { a: '2' } }) }],
    ['a port', { ...own, spec: { ...own.spec, ports: [{ port: 81, targetPort: 80 }] } }],
    ['a port more', { ...own, spec: { ...own.spec, ports: [...(own.spec.ports ?? []), { port: 81 }] } }],
    ['the selector', { ...own, spec: { ...own.spec, selector: { track: 'web-2' } } }],
    [
      'a key more in the selector, which is atomic',
      { ...own, spec: { ...own.spec, selector: { track: 'web-1', x: 'y' } } },
    ],
  ])('%s is put back', (_what, changed) => {
    expect(needsApply(memory, desired, changed)).toBe(true);
  });

  test('what a webhook made of just this desired state is accepted, until somebody changes it', () => {
    const mutated = { ...own, metadata: meta('web', { labels: { a: 'mutated' }, resourceVersion: '7' }) };
    const applied = new Map([['uid-web', appliedAs(desired, mutated)]]);
    expect(needsApply({ ...memory, applied }, desired, mutated)).toBe(false);
    const touched = { ...mutated, metadata: { ...mutated.metadata, resourceVersion: '8' } };
    expect(needsApply({ ...memory, applied }, desired, touched)).toBe(true);
  });

  test.each([
    ['labels', { labels: { a: '2' } }],
    ['owners', { labels: { a: '1' }, ownerReferences: [] }],
  ])('%s that change are put back although the generation stays', (_what, more) => {
    const owner = { apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' };
    const owned = { ...desired, metadata: { ...desired.metadata, ownerReferences: [owner] } };
    const made = { ...own, metadata: meta('web', { ...owned.metadata, generation: 3 }) };
    const changed = { ...own, metadata: { ...made.metadata, ...more } };
    const applied = new Map([['uid-web', appliedAs(owned, made)]]);
    expect(needsApply({ ...memory, applied }, owned, made)).toBe(false);
    expect(needsApply({ ...memory, applied }, owned, changed)).toBe(true);
  });

  test('what is contested is left alone', () => {
    const contested = new Map([['Service/web', 'kubectl-edit']]);
    const changed = { ...own, spec: { ...own.spec, selector: {} } };
    expect(needsApply({ ...memory, contested }, desired, changed)).toBe(false);
  });

  test('an owner that was lost, as by a restore from a backup, is put back', () => {
    const owner = { apiVersion: 'v1', kind: 'X', name: 'x', uid: 'u' };
    const owned = { ...desired, metadata: { ...desired.metadata, ownerReferences: [owner] } };
    expect(needsApply(memory, owned, own)).toBe(true);
    const adopted = { ...own, metadata: { ...own.metadata, ownerReferences: [{ ...owner, uid: 'other' }, owner] } };
    expect(needsApply(memory, owned, adopted)).toBe(false);
  });

  test('the version of the object is no part of the desired state', () => {
    const versioned = { ...desired, metadata: { ...desired.metadata, resourceVersion: '9' } };
    expect(desiredHash(versioned)).toBe(desiredHash(desired));
  });
});
