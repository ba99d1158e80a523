// Users may choose names that are properties of every JavaScript object.
import { describe, expect, test } from 'vitest';
import type { Action } from './record/actions.ts';
import type { DigestLookup } from './state/observed.ts';
import { plan } from './plan.ts';
import { makeDeployment } from './record/desired.ts';
import type { Facts } from './record/recorded-data.ts';
import { imagesToResolve, knownPins } from './record/revision.ts';
import { controllerRevision, DIGEST, knowing, NOW, observed, release, revision, spec } from './testing.ts';

const INHERITED = ['constructor', 'toString', 'hasOwnProperty', '__proto__'];

function running(image: string, version = '1.0.0') {
  return spec({
    version,
    template: { spec: { containers: [{ name: 'constructor', image, ports: [{ name: 'http' }] }] } },
  });
}

describe.each(INHERITED)('an image named %s', (image) => {
  const pin = { image: `${image}@${DIGEST}`, digest: DIGEST };

  test('is resolved, and pinned once its digest is known', () => {
    const wanted = running(image);
    expect(imagesToResolve(wanted, [], {})).toEqual([image]);
    expect(plan(observed({ release: release(wanted) }), NOW).view.wanted).toEqual({ state: 'Resolving' });

    const digests: Record<string, DigestLookup> = Object.fromEntries([[image, { state: 'resolved', ...pin }]]);
    const { actions } = plan(observed({ release: release(wanted), lookUpDigest: knowing(digests) }), NOW);
    const [dryRun] = actions.filter((action): action is Action & { kind: 'DryRun' } => action.kind === 'DryRun');
    expect(dryRun?.deployment.spec.template.spec.containers[0]?.image).toBe(pin.image);
  });

  test('stays pinned by a revision and by the ledger', () => {
    const recorded = revision(1, running(image));
    const data = { ...recorded.data, images: Object.fromEntries([[image, pin]]) };
    expect(Object.entries(knownPins('1.0.0', [{ ...recorded, data }], {}))).toEqual([[image, pin]]);
    const ledger = { '1.0.0': Object.fromEntries([[image, pin]]) };
    expect(Object.entries(knownPins('1.0.0', [], ledger))).toEqual([[image, pin]]);
  });
});

test.each(INHERITED)('a version named %s has no pins of its own', (version) => {
  expect(knownPins(version, [], {})).toEqual({});
  expect(knownPins(version, [revision(1)], {})).toEqual({});
});

describe('a stage and a pool named constructor', () => {
  const wanted = spec({
    stages: [{ name: 'constructor', approval: 'Manual', pools: [{ name: 'constructor', nodeSelector: {} }] }],
  });

  function seen(facts: Facts, more = {}) {
    return observed({
      release: release(wanted),
      revisions: [controllerRevision(revision(1, wanted, facts))],
      ...more,
    });
  }

  test('waits for its approval, and records it', () => {
    const facts: Facts = { pools: {}, approvals: {} };
    expect(plan(seen(facts), NOW).view.pools[0]).not.toHaveProperty('entered');
    const promotion = {
      metadata: {
        name: 'go',
        namespace: 'shop',
        uid: 'go',
        resourceVersion: '1',
        creationTimestamp: '2026-01-01T11:30:00Z',
      },
      spec: { release: 'web', stage: 'constructor', skipSoak: false },
      status: {
        releaseUID: 'uid-web',
        revision: 1,
        conditions: [
          {
            type: 'Accepted',
            status: 'True' as const,
            reason: 'Accepted',
            message: '',
            lastTransitionTime: '2026-01-01T11:30:00Z',
          },
        ],
      },
    };
    const { actions } = plan(seen(facts, { promotions: [promotion] }), NOW);
    const [write] = actions.filter(
      (action): action is Action & { kind: 'AnnotateRevision' } =>
        action.kind === 'AnnotateRevision' && action.target.name === 'web-1',
    );
    expect(JSON.parse(write?.annotations['apprelease.dev/facts'] ?? '')).toMatchObject({
      pools: { constructor: { entered: { attempt: 1 } } },
      approvals: { constructor: { promotion: 'go' } },
    });
  });

  test('has no difference from the template that nobody wrote', () => {
    const identity = {
      pool: 'constructor',
      revision: revision(1, spec()),
      placement: { nodeSelector: {}, tolerations: [] },
      strategy: 'BlueGreen' as const,
      key: '12345678',
    };
    const options = { identity, track: 't', replicas: 1, topology: wanted };
    const { metadata } = makeDeployment({ owner: { name: 'web', namespace: 'shop', uid: 'u' }, ...options });
    expect(metadata.name).toMatch(/^web-constructor-1-12345/);
  });
});
