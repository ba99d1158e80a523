import { describe, expect, test } from 'vitest';
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { ANNOTATION } from '../../api/meta.ts';
import type { Action } from '../record/actions.ts';
import { makeAutoscaler } from './autoscaler.ts';
import { desiredHash } from '../state/drift.ts';
import type { Autoscaler, Deployment, Pod } from '../record/kube-objects.ts';
import type { Memory, Observed } from '../state/observed.ts';
import { plan } from '../plan.ts';
import { makeDeployment, makeService, trackName } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts } from '../record/recorded-data.ts';
import { placementKeys, placementOf, topologyOf } from '../record/revision.ts';
import type { ExposureWords } from '../route/exposure-testing.ts';
import { exposing } from '../route/exposure-testing.ts';
import { isSettled } from '../state/target.ts';
import {
  controllerRevision,
  live,
  liveService,
  meta,
  NOW,
  observed,
  podsFor,
  release,
  revision,
  rollout,
  spec,
} from '../testing.ts';

const EARLIER = '2026-01-01T11:30:00Z';
const HPA = 'kube-controller-manager';
const owner = meta('web');
const autoscaling = { minReplicas: 2, maxReplicas: 6 };

/** One pool with this number of replicas in the spec. */
function wanted(version: string, own: object = { autoscaling }, more: object = {}): AppReleaseSpec {
  const pools = [{ name: 'b', replicas: 3, nodeSelector: { pool: 'b' }, ...own }];
  return spec({ version, stages: [{ name: 'production', pools }], ...more });
}

const key = placementKeys(topologyOf(wanted('1.0.0')), 'web', 'BlueGreen').get('b') ?? '';
const entered = { at: EARLIER, attempt: 1, key };

function facts(b: Facts['pools'][string]): Facts {
  return { pools: { b }, approvals: {} };
}

const first = revision(1, wanted('1.0.0'), facts({ entered, good: EARLIER, healthySince: EARLIER }));
const second = revision(2, wanted('2.0.0'), facts({ entered }));

function identity(of: Revision) {
  return {
    pool: 'b',
    revision: of,
    placement: placementOf(wanted('1.0.0').stages[0]?.pools[0] ?? never()),
    strategy: 'BlueGreen' as const,
    key,
  };
}

function never(): never {
  throw new Error('no pool');
}

/** A Deployment with this number of pods, all ready. */
function running(of: Revision, replicas: number, replicasOwner?: string): Deployment {
  const track = trackName('web-b', identity(of));
  const topology = topologyOf(wanted('1.0.0'));
  const made = live(makeDeployment({ owner, identity: identity(of), track, replicas, topology }), replicas);
  return { ...made, ...(replicasOwner !== undefined && { replicasOwner }) };
}

function serving(of: Revision, annotations: Record<string, string> = {}) {
  const track = trackName('web-b', identity(of));
  const template = wanted('1.0.0').service ?? never();
  return liveService(makeService({ owner, name: 'web-b', pools: ['b'], track, revision: of, template, annotations }));
}

function scaling(target: string, bounds: object = autoscaling): Autoscaler {
  const desired = makeAutoscaler({
    owner,
    pool: 'b',
    autoscaling: { ...autoscaling, ...bounds },
    target,
    topology: {},
  });
  return { metadata: meta('web-b', desired.metadata), spec: { ...desired.spec, metrics: [{ type: 'Resource' }] } };
}

interface World {
  spec?: AppReleaseSpec;
  deployments: Deployment[];
  serves?: Revision;
  autoscaler?: Autoscaler;
  memory?: Partial<Memory>;
  more?: Partial<Observed>;
}

function seen(world: World): Observed {
  const { deployments, serves = first, autoscaler, memory, more } = world;
  const base = observed();
  return {
    ...base,
    release: release(world.spec ?? wanted('1.0.0')),
    revisions: [first, second].map(controllerRevision),
    deployments,
    services: [serving(serves)],
    pods: deployments.flatMap((deployment) => podsFor(deployment, deployment.spec.replicas ?? 0)),
    ...(autoscaler && { autoscalers: [autoscaler] }),
    memory: { ...base.memory, ...memory },
    ...more,
  };
}

/** The last apply of these objects had another desired state, so that the next one needs no dry run. */
function changing(...objects: string[]): Partial<Memory> {
  return { stored: new Map(objects.map((object) => [object, { hash: 'before', held: true }])) };
}

/** The actions that concern replicas, Services and autoscalers. */
function actions(world: World): string[] {
  return plan(seen(world), NOW).actions.flatMap((action) => {
    const said = describeAction(action);
    return said === undefined ? [] : [`${action.takesTrafficBack ? 'first: ' : ''}${said}`];
  });
}

function describeAction(action: Action): string | undefined {
  switch (action.kind) {
    case 'ApplyDeployment': {
      const { metadata, spec } = action.desired;
      return `${metadata.name} to ${spec.replicas ?? 'what it has'}`;
    }
    case 'ApplyService':
      return `Service ${action.desired.metadata.name}`;
    case 'ApplyAutoscaler':
      return `scale ${action.desired.spec.scaleTargetRef.name}${action.force ? ', by force' : ''}`;
    case 'DeleteAutoscaler':
      return `remove ${action.target.name}`;
    default:
      return undefined;
  }
}

const next = wanted('2.0.0');

test('an autoscaler has the name of the Service of its pool, and the fields of spec.autoscaling', () => {
  const made = makeAutoscaler({
    owner,
    pool: 'b',
    autoscaling: { ...autoscaling, behavior: { any: 1 } },
    target: 'web-b-1',
    topology: {},
  });
  expect(made).toMatchObject({
    metadata: { name: 'web-b', ownerReferences: [{ uid: owner.uid, controller: true }] },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web-b-1' }, ...autoscaling },
  });
  expect(Object.keys(made.spec)).toEqual(['scaleTargetRef', 'minReplicas', 'maxReplicas', 'behavior']);
});

describe('the autoscaler of a pool', () => {
  const one = [running(first, 3, HPA)];

  test.each<[string, World, string[]]>([
    ['is created without force', { deployments: one }, ['scale web-b-1']],
    ['is not written if it has the desired state', { deployments: one, autoscaler: scaling('web-b-1') }, []],
    ['is put back by force', { deployments: one, autoscaler: scaling('other') }, ['scale web-b-1, by force']],
    [
      'gets changed bounds',
      {
        deployments: one,
        autoscaler: scaling('web-b-1', { maxReplicas: 9 }),
        memory: changing('HorizontalPodAutoscaler/web-b'),
      },
      ['scale web-b-1, by force'],
    ],
    [
      'is not changed while the pool has no Deployment',
      { deployments: [], autoscaler: scaling('web-b-1') },
      ['web-b-1 to 3'],
    ],
    [
      'is not created if its name is taken',
      { deployments: one, memory: { nameConflicts: new Map([['HorizontalPodAutoscaler/web-b', 'taken']]) } },
      [],
    ],
    [
      'moves to the target with the switch of a promotion',
      { spec: next, deployments: [running(first, 4, HPA), running(second, 4)], autoscaler: scaling('web-b-1') },
      ['Service web-b', 'scale web-b-2, by force'],
    ],
    [
      'does not move before the switch',
      { spec: next, deployments: [running(first, 5, HPA), running(second, 4)], autoscaler: scaling('web-b-1') },
      ['web-b-2 to 5'],
    ],
  ])('%s', (_what, world, expected) => {
    expect(actions(world)).toEqual(expected);
  });

  test('moves to the target with the switch of a rollback, before all else', () => {
    const status = {
      releaseUID: owner.uid,
      acceptedAt: EARLIER,
      sequence: 1,
      heldAgainst: 2,
      pools: [{ name: 'b', from: 2, to: 1 }],
      conditions: [
        {
          type: 'Accepted',
          status: 'True' as const,
          reason: 'Accepted',
          message: 'takes back b 2 → 1',
          lastTransitionTime: EARLIER,
        },
      ],
    };
    const rollback = { metadata: meta('back'), spec: { release: 'web', force: false }, status };
    const world: World = {
      spec: next,
      deployments: [running(first, 4), running(second, 4, HPA)],
      serves: second,
      autoscaler: scaling('web-b-2'),
      more: { rollbacks: [rollback] },
    };
    expect(actions(world)).toEqual(['first: Service web-b', 'first: scale web-b-1, by force']);
  });

  test('is applied again after a refusal once its desired state changes', () => {
    const target = 'web-b-1';
    const desired = makeAutoscaler({ owner, pool: 'b', autoscaling, target, topology: {} });
    const refused = new Map([
      ['HorizontalPodAutoscaler/web-b', { hash: desiredHash(desired), reason: 'Refused' as const, message: 'no' }],
    ]);
    expect(actions({ deployments: one, memory: { refused } })).toEqual([]);
    const other = wanted('1.0.0', { autoscaling: { ...autoscaling, maxReplicas: 7 } });
    expect(actions({ spec: other, deployments: one, memory: { refused } })).toEqual(['scale web-b-1']);
  });

  test('moves to another Deployment without a dry run, and is compared by a dry run if only its spelling differs', () => {
    const metrics = [{ averageValue: '1000m' }];
    const spec = wanted('1.0.0', { autoscaling: { ...autoscaling, metrics } });
    const kinds = (target: string) =>
      plan(seen({ spec, deployments: one, autoscaler: scaling(target) }), NOW)
        .actions.filter(({ kind }) => ['ApplyAutoscaler', 'DryRunApply'].includes(kind))
        .map(({ kind }) => kind);
    expect(kinds('other')).toEqual(['ApplyAutoscaler']);
    expect(kinds('web-b-1')).toEqual(['DryRunApply']);
  });
});

describe('the number of replicas', () => {
  const NEW = { services: [], revisions: [controllerRevision(first)] };
  const slower = { minReadySeconds: 5 };

  test.each<[string, World, string[]]>([
    ['is not written before the Service exists', { deployments: [], more: NEW }, ['Service web-b']],
    ['of a first Deployment is that of the spec', { deployments: [] }, ['web-b-1 to 3']],
    [
      'of a first Deployment is within the bounds of the autoscaler',
      { spec: wanted('1.0.0', { replicas: 1, autoscaling }), deployments: [] },
      ['web-b-1 to 2'],
    ],
    [
      'of a Deployment that is created again is the last one of the autoscaler',
      { deployments: [], autoscaler: { ...scaling('web-b-1'), desiredReplicas: 5 } },
      ['web-b-1 to 5'],
    ],
    [
      'of a new version is that of the served Deployment',
      { spec: next, deployments: [running(first, 4, HPA)], autoscaler: scaling('web-b-1') },
      ['web-b-2 to 4'],
    ],
    [
      'is in no write if an autoscaler owns it',
      {
        spec: wanted('1.0.0', undefined, slower),
        deployments: [running(first, 4, HPA)],
        autoscaler: scaling('web-b-1'),
        memory: changing('Deployment/web-b-1'),
      },
      ['web-b-1 to what it has'],
    ],
    [
      'is written unchanged if no autoscaler owns it yet',
      {
        spec: wanted('1.0.0', undefined, slower),
        deployments: [running(first, 4)],
        autoscaler: scaling('web-b-1'),
        memory: changing('Deployment/web-b-1'),
      },
      ['web-b-1 to 4'],
    ],
    [
      'is not 0 in a pool that had 0 replicas when it got its autoscaler',
      { deployments: [running(first, 0)], autoscaler: scaling('web-b-1') },
      ['web-b-1 to 3'],
    ],
    [
      'stays 0 if somebody set it to 0',
      { deployments: [running(first, 0, 'kubectl')], autoscaler: scaling('web-b-1') },
      [],
    ],
  ])('%s', (_what, world, expected) => {
    expect(actions(world)).toEqual(expected);
  });

  test.each([
    [6, 4],
    [2, 4],
  ])('of a standby goes from %i to that of the served Deployment', (from, to) => {
    const switchedAt = '2026-01-01T11:55:00Z';
    const switched = { [ANNOTATION.switchedAt]: switchedAt, [ANNOTATION.previousTrack]: 'web-b-1' };
    const drained = { track: 'web-b-2', switchedAt, since: 0 };
    const world: World = {
      spec: next,
      deployments: [running(first, from, HPA), running(second, to, HPA)],
      autoscaler: scaling('web-b-2'),
      memory: { drained: { services: new Map([['web-b', drained]]), tracks: new Map() } },
      more: { services: [serving(second, switched)] },
    };
    expect(actions(world)).toEqual([`web-b-1 to ${to}`]);
    const apply = plan(seen(world), NOW).actions.find(({ kind }) => kind === 'ApplyDeployment');
    expect(apply).toMatchObject({ force: true, guard: { track: 'web-b-1', services: [{ name: 'web-b' }] } });
    // After a failed move the autoscaler still owns the replicas: the operator does not write them.
    expect(actions({ ...world, autoscaler: scaling('web-b-1') })).toEqual(['scale web-b-2, by force']);
  });
});

describe('without autoscaling', () => {
  const plain = wanted('1.0.0', {});

  test('the operator takes the replicas back before it removes the autoscaler', () => {
    const autoscaler = scaling('web-b-1');
    expect(actions({ spec: plain, deployments: [running(first, 5, HPA)], autoscaler })).toEqual(['web-b-1 to 3']);
    expect(actions({ spec: plain, deployments: [running(first, 3)], autoscaler })).toEqual(['remove web-b']);
    expect(actions({ spec: plain, deployments: [running(first, 3)] })).toEqual([]);
  });

  test('an autoscaler of somebody else is left alone', () => {
    expect(actions({ spec: plain, deployments: [running(first, 5, HPA)] })).toEqual([]);
  });

  test('the autoscaler of a pool that left the spec is removed after its Deployment', () => {
    const left = spec({
      stages: [{ name: 'production', pools: [{ name: 'c', replicas: 0, nodeSelector: { pool: 'c' } }] }],
    });
    const autoscaler = scaling('web-b-1');
    expect(actions({ spec: left, deployments: [running(first, 2, HPA)], autoscaler })).not.toContain('remove web-b');
    expect(actions({ spec: left, deployments: [], autoscaler })).toContain('remove web-b');
  });
});

describe('a pool that grows', () => {
  function settled(pods: (deployment: Deployment) => Pod[]): boolean {
    const deployment = {
      ...running(first, 5, HPA),
      status: { observedGeneration: 1, replicas: 5, updatedReplicas: 5 },
    };
    const world = seen({ deployments: [deployment], autoscaler: scaling('web-b-1'), more: { pods: pods(deployment) } });
    const view = rollout(world);
    const [pool] = view.pools;
    const [own] = view.revisions;
    return pool !== undefined && own !== undefined && isSettled(view, pool, own);
  }

  function pod(deployment: Deployment, ready: boolean, creationTimestamp: string): Pod[] {
    return podsFor(deployment, 1, {
      ready,
      metadata: meta(`pod-${creationTimestamp}-${ready}`, {
        labels: deployment.spec.template.metadata?.labels ?? {},
        creationTimestamp,
      }),
    });
  }

  const JUST_NOW = '2026-01-01T11:59:50Z';

  test.each<[string, (deployment: Deployment) => Pod[], boolean]>([
    ['is settled while new pods start', (own) => [...podsFor(own, 2), ...pod(own, false, JUST_NOW)], true],
    ['is not settled if too few pods are ready', (own) => [...podsFor(own, 1), ...pod(own, false, JUST_NOW)], false],
    [
      'is not settled if a pod from before is not ready',
      (own) => [...podsFor(own, 4), ...pod(own, false, '2026-01-01T11:00:00Z')],
      false,
    ],
    [
      'is not settled if a new pod takes too long',
      (own) => [...podsFor(own, 4), ...pod(own, false, '2026-01-01T11:40:00Z')],
      false,
    ],
  ])('%s', (_what, pods, expected) => {
    expect(settled(pods)).toBe(expected);
  });
});

describe('in an exposure', () => {
  const pool: ExposureWords['pool'] = { replicas: 4, spec: { autoscaling: { minReplicas: 1, maxReplicas: 9 } } };
  /** The least size of the autoscaler, and the size of the new revision. */
  function sizes(words: ExposureWords) {
    const { actions } = plan(exposing({ pool: { ...pool, size: 2, ready: 2 }, ...words }), NOW);
    const [least] = actions.flatMap((one) => (one.kind === 'ApplyAutoscaler' ? [one.desired.spec.minReplicas] : []));
    const [size] = actions.flatMap((one) =>
      one.kind === 'ApplyDeployment' && one.desired.metadata.name === 'web-a-2' ? [one.desired.spec.replicas] : [],
    );
    return { least, size };
  }
  const STEP = { phase: 'Stepping', step: 0, since: 10 } as const;

  test.each<[what: string, words: ExposureWords, found: object]>([
    [
      'both revisions keep at least the size of the beginning',
      { record: { ...STEP, sizes: { a: 5 } } },
      { least: 5, size: 5 },
    ],
    ['no size is above the largest', { record: { ...STEP, sizes: { a: 50 } } }, { least: 9, size: 9 }],
    ['there is no floor without one', {}, { least: 1, size: 2 }],
  ])('%s', (_what, words, found) => {
    expect(sizes(words)).toEqual({ size: undefined, ...found });
  });
});
