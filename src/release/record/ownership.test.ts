// 2.4: what is whose, and what is done about it.
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

describe('an object is', () => {
  test.each<[string, Pick<ObjectMeta, 'labels' | 'ownerReferences'>, string]>([
    ['ours by its owner reference, whatever its labels', { ownerReferences: [OURS] }, 'Ours'],
    ['ours by a reference that controls nothing', { ownerReferences: [{ ...OURS, controller: false }] }, 'Ours'],
    [
      'the controller’s, whoever else owns it',
      { labels: BOTH, ownerReferences: [{ ...OURS, controller: false }, OTHER] },
      'Foreign',
    ],
    ['of an earlier release of the name', { labels: BOTH, ownerReferences: [EARLIER] }, 'LeftBehind'],
    ['an orphan with both labels', { labels: BOTH }, 'Orphan'],
    [
      'an orphan that others own without control',
      { labels: BOTH, ownerReferences: [{ ...OTHER, controller: false }] },
      'Orphan',
    ],
    ['somebody’s with the release’s label alone', { labels: RELEASE }, 'Foreign'],
    ['another release’s orphan', { labels: { ...BOTH, [LABEL.release]: 'other' } }, 'Foreign'],
    ['a controller’s with our labels', { labels: BOTH, ownerReferences: [OTHER] }, 'Foreign'],
    ['somebody’s without anything', {}, 'Foreign'],
  ])('%s', (_title, given, expected) => {
    expect(ownershipOf(given, owner)).toBe(expected);
  });

  test.each<[string, Pick<ObjectMeta, 'labels' | 'annotations' | 'ownerReferences'>, boolean]>([
    ['by its annotation', { annotations: ADOPT }, true],
    ['to a release that has it already', { annotations: ADOPT, labels: RELEASE }, true],
    ['not to another release', { annotations: ADOPT, labels: { [LABEL.release]: 'other' } }, false],
    ['not where it is ours already', { annotations: ADOPT, ownerReferences: [OURS] }, false],
    ['not by another value', { annotations: { [ANNOTATION.adopt]: 'yes' } }, false],
  ])('a Service is handed over %s', (_title, metadata, expected) => {
    expect(isHandedOver({ metadata }, owner)).toBe(expected);
  });

  test('said to be another release’s', () => {
    const labels = { [LABEL.release]: 'other' };
    expect(takenMessage('Service', { name: 'x', labels }, 'web')).toMatch(
      /^Service x belongs to AppRelease other: .*serviceName/,
    );
    expect(takenMessage('Deployment', { name: 'x' }, 'web')).toMatch(
      /somebody else: remove it, or give the AppRelease/,
    );
  });
});

describe('a release whose pool serves', () => {
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
    ['the release’s label', RELEASE],
    ['our labels, and another controller', BOTH],
  ])('touches no Service that somebody gave %s', (_title, labels) => {
    const ownerReferences = labels === BOTH ? [OTHER] : [];
    const seen = world({ labels, ownerReferences });
    expect(plan(seen, NOW).actions.map(({ kind }) => kind)).not.toContain('ApplyService');
    expect(stalled(plan(seen, NOW).view)).toMatchObject({ reason: 'NameTaken' });
  });

  test('takes an orphaned Service of its own back', () => {
    expect(writes(world({ labels: BOTH }), 'ApplyService')).toMatchObject([
      { force: true, service: { metadata: { ownerReferences: [OURS] } } },
    ]);
  });

  test('owns the selector alone of one that is handed over, for as long as it is', () => {
    const [action] = writes(world({ labels: RELEASE, annotations: ADOPT }), 'ApplyService');
    expect(action).toMatchObject({ service: { spec: { selector: { [LABEL.track]: 'web-a-1' } } } });
    expect(action).not.toHaveProperty('service.metadata.ownerReferences');
    expect(stalled(plan(world({ labels: RELEASE }), NOW).view)).toMatchObject({ reason: 'NameTaken' });
  });

  test('removes nothing of others that carries its label', () => {
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

  test('knows a budget of its own that lost its label', () => {
    const budget = {
      metadata: meta('web-a-1', { ownerReferences: [OURS] }),
      spec: { selector: deployment.spec.selector },
    };
    const seen = world({ labels: BOTH }, { foreignBudgets: [budget] });
    expect(plan(seen, NOW).view.observed).toMatchObject({ budgets: [budget], foreignBudgets: [] });
  });

  test('passes the numbers of others’ records over, which hold nothing up', () => {
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
    expect(writes(seen, 'DryRun')).toMatchObject([{ deployment: { metadata: { name: 'web-4-dry-run' } } }]);
    expect(stalled(plan(seen, NOW).view)).toBeUndefined();
  });

  test('is stalled where the ledger’s name is somebody else’s, and tries no more', () => {
    const taken = new Map([['ControllerRevision/web-ledger', 'theirs']]);
    const seen = world({ labels: BOTH }, { memory: { ...observed().memory, nameConflicts: taken } });
    expect(writes(seen, 'CreateLedger')).toEqual([]);
    expect(stalled(plan(seen, NOW).view)).toEqual({ reason: 'NameTaken', message: 'theirs' });
  });
});
