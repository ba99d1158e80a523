// Ownership of objects, and the writes that follow from it.
import { describe, expect, test } from 'vitest';
import type { ObjectMeta, OwnerReference } from '../../api/common.ts';
import { ANNOTATION, API_VERSION, LABEL } from '../../api/meta.ts';
import type { Action } from './actions.ts';
import type { Service } from './kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import { isHandedOver, ownershipOf, takenMessage } from './ownership.ts';
import { plan } from '../plan.ts';
import { makeDeployment, ownerReference } from './desired.ts';
import { placementKeys, placementOf, topologyOf } from './revision.ts';
import { stalled } from '../status/ready.ts';
import {
  controllerRevision,
  knowing,
  live,
  meta,
  NOW,
  observed,
  podsFor,
  release,
  revision,
  spec,
} from '../testing.ts';

const owner = meta('web');
const OURS = ownerReference(owner);
const EARLIER: OwnerReference = { ...OURS, uid: 'uid-of-the-last-one' };
const OTHER: OwnerReference = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x', uid: 'x', controller: true };
const RELEASE = { [LABEL.release]: 'web' };
const BOTH = { ...RELEASE, [LABEL.managedBy]: 'apprelease' };
const ADOPT = { [ANNOTATION.adopt]: 'true' };

describe('an object belongs to', () => {
  test.each<[string, Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences'>, string]>([
    ['the release by its owner reference, with any labels', { ownerReferences: [OURS] }, 'Ours'],
    [
      'the release by an owner reference that is not the controller',
      { ownerReferences: [{ ...OURS, controller: false }] },
      'Ours',
    ],
    [
      'its controller, with any other owners',
      { labels: BOTH, ownerReferences: [{ ...OURS, controller: false }, OTHER] },
      'Foreign',
    ],
    ['an earlier release of the same name', { labels: BOTH, ownerReferences: [EARLIER] }, 'LeftBehind'],
    ['the release as an orphan with both labels', { labels: BOTH }, 'Orphan'],
    [
      'the release as an orphan with an owner that is not the controller',
      { labels: BOTH, ownerReferences: [{ ...OTHER, controller: false }] },
      'Orphan',
    ],
    [
      'the release as an orphaned Service with another app.kubernetes.io/managed-by',
      { labels: { ...BOTH, [LABEL.managedBy]: 'Helm' }, annotations: { [ANNOTATION.revision]: '1' } },
      'Orphan',
    ],
    [
      'the release as an orphaned budget with another app.kubernetes.io/managed-by',
      { labels: { ...BOTH, [LABEL.managedBy]: 'Helm' }, annotations: { [ANNOTATION.workloadMetadata]: 'x' } },
      'Orphan',
    ],
    ['somebody else if it has only the release label', { labels: RELEASE }, 'Foreign'],
    ['another release as its orphan', { labels: { ...BOTH, [LABEL.release]: 'other' } }, 'Foreign'],
    ['its controller, even with the labels of the release', { labels: BOTH, ownerReferences: [OTHER] }, 'Foreign'],
    ['somebody else if it has no labels and no owner', {}, 'Foreign'],
  ])('%s', (_title, given, expected) => {
    expect(ownershipOf(given, owner)).toBe(expected);
  });

  test.each<[string, Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences'>, boolean]>([
    ['is adopted by its annotation', { annotations: ADOPT }, true],
    ['stays adopted by the release that has it', { annotations: ADOPT, labels: RELEASE }, true],
    ['is not adopted by another release', { annotations: ADOPT, labels: { [LABEL.release]: 'other' } }, false],
    ['is not adopted if the release owns it', { annotations: ADOPT, ownerReferences: [OURS] }, false],
    ['is not adopted with another value of the annotation', { annotations: { [ANNOTATION.adopt]: 'yes' } }, false],
  ])('a Service %s', (_title, metadata, expected) => {
    expect(isHandedOver({ metadata }, owner)).toBe(expected);
  });

  test('another owner: the message names the owner and the way out', () => {
    const labels = { [LABEL.release]: 'other' };
    expect(takenMessage('Service', { name: 'x', labels }, 'web')).toMatch(
      /^Service x belongs to AppRelease other: .*serviceName/,
    );
    expect(takenMessage('Deployment', { name: 'x' }, 'web')).toMatch(
      /somebody else: remove it, or give the AppRelease/,
    );
  });
});

describe('a release with a serving pool', () => {
  const wanted = spec({
    stages: [{ name: 'production', pools: [{ name: 'a', replicas: 1, nodeSelector: { pool: 'a' } }] }],
  });
  const topology = topologyOf(wanted);
  const key = placementKeys(topology, 'web', 'BlueGreen').get('a') ?? '';
  const entered = { at: '2026-01-01T11:30:00Z', attempt: 1, key };
  const old = revision(1, wanted, { pools: { a: { entered, good: entered.at } }, approvals: {} });
  const placement = placementOf({ name: 'a', replicas: 1, nodeSelector: { pool: 'a' } });
  const identity = { pool: 'a', revision: old, placement, strategy: 'BlueGreen' as const, key };
  const deployment = live(makeDeployment({ owner, identity, track: 'web-a-1', replicas: 1, topology }), 1);

  function world(service: Partial<ObjectMeta>, more: Partial<Observed> = {}): Observed {
    const theirs: Service = { metadata: meta('web-a', service), spec: { ports: [{ port: 80 }] } };
    return observed({
      release: release(wanted),
      revisions: [controllerRevision(old)],
      deployments: [deployment],
      pods: podsFor(deployment, 1),
      services: [theirs],
      ...more,
    });
  }

  function writes(seen: Observed, kind: Action['kind']): Action[] {
    return plan(seen, NOW).actions.filter((action) => action.kind === kind);
  }

  test.each([
    ['the release label', RELEASE],
    ['the labels of the release and another controller', BOTH],
  ])('does not change a foreign Service with %s', (_title, labels) => {
    const ownerReferences = labels === BOTH ? [OTHER] : [];
    const seen = world({ labels, ownerReferences });
    expect(plan(seen, NOW).actions.map(({ kind }) => kind)).not.toContain('ApplyService');
    expect(stalled(plan(seen, NOW).view)).toMatchObject({ reason: 'NameTaken' });
  });

  test('adopts its own orphaned Service', () => {
    expect(writes(world({ labels: BOTH }), 'ApplyService')).toMatchObject([
      { force: true, desired: { metadata: { ownerReferences: [OURS] } } },
    ]);
  });

  test('owns only the selector of an adopted Service, and only while the annotation is set', () => {
    const [action] = writes(world({ labels: RELEASE, annotations: ADOPT }), 'ApplyService');
    expect(action).toMatchObject({ desired: { spec: { selector: { [LABEL.track]: 'web-a-1' } } } });
    expect(action).not.toHaveProperty('desired.metadata.ownerReferences');
    expect(stalled(plan(world({ labels: RELEASE }), NOW).view)).toMatchObject({ reason: 'NameTaken' });
  });

  test('does not delete foreign objects with its label', () => {
    const left = meta('web-gone', { labels: RELEASE });
    const pull = { ...meta('theirs'), labels: { ...RELEASE, [LABEL.pull]: '1', [LABEL.pool]: 'a' } };
    const seen = world(
      { labels: BOTH },
      {
        services: [{ metadata: left, spec: {} }],
        autoscalers: [
          {
            metadata: left,
            spec: { scaleTargetRef: { apiVersion: API_VERSION, kind: 'X', name: 'x' }, maxReplicas: 1 },
          },
        ],
        budgets: [{ metadata: left, spec: {} }],
        pods: [...podsFor(deployment, 1), { metadata: pull, ready: false, containers: [] }],
      },
    );
    expect(plan(seen, NOW).actions.filter(({ kind }) => kind.startsWith('Delete'))).toEqual([]);
  });

  test('recognizes its own PodDisruptionBudget without its label', () => {
    const budget = {
      metadata: meta('web-a-1', { ownerReferences: [OURS] }),
      spec: { selector: deployment.spec.selector },
    };
    const seen = world({ labels: BOTH }, { foreignBudgets: [budget] });
    expect(plan(seen, NOW).view.observed).toMatchObject({ budgets: [budget], foreignBudgets: [] });
  });

  test('skips revision numbers whose names belong to somebody else, and is not stalled', () => {
    const next = spec({ ...wanted, version: '2.0.0' });
    const taken = new Map(['ControllerRevision/web-2', 'ControllerRevision/web-3'].map((name) => [name, 'theirs']));
    const [image = ''] = Object.keys(old.data.images);
    const digests = { [image]: { state: 'resolved' as const, image, digest: old.data.images[image]?.digest ?? '' } };
    const seen = world(
      { labels: BOTH },
      {
        release: release(next),
        lookUpDigest: knowing(digests),
        memory: { ...observed().memory, nameConflicts: taken },
      },
    );
    expect(writes(seen, 'DryRun')).toMatchObject([{ deployment: { metadata: { labels: { [LABEL.revision]: '4' } } } }]);
    expect(stalled(plan(seen, NOW).view)).toBeUndefined();
  });

  test('is stalled if the name of the ledger belongs to somebody else, and does not retry', () => {
    const taken = new Map([['ControllerRevision/web-ledger', 'theirs']]);
    const seen = world({ labels: BOTH }, { memory: { ...observed().memory, nameConflicts: taken } });
    expect(writes(seen, 'CreateLedger')).toEqual([]);
    expect(stalled(plan(seen, NOW).view)).toEqual({ reason: 'NameTaken', message: 'theirs' });
  });
});
