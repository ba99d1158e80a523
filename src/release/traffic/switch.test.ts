import { describe, expect, test } from 'vitest';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Deployment, DesiredService, Service } from '../record/kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import { DIGEST, meta, NOW, rollout } from '../testing.ts';
import type { FactWords, PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { rollOutGroup } from '../pools/roll-out.ts';

type Change = (seen: Observed) => Partial<Observed>;

interface ServiceAction {
  said: string;
  desired: DesiredService;
  /** The Deployments that are checked before the write. */
  checked?: string[] | undefined;
}

/** The writes and dry runs of the Service of the first stage. */
function serviceActions(words: Words, change: Change = () => ({})): ServiceAction[] {
  const base = world(words);
  const seen = rollout({ ...base, ...change(base) });
  const [group] = seen.groups;
  return (group ? rollOutGroup(seen, group).actions : []).flatMap((action) => {
    if (action.kind === 'DryRunApply' && action.desired.kind === 'Service')
      return [{ said: 'ask', desired: action.desired as DesiredService }];
    if (action.kind !== 'ApplyService') return [];
    const [verb = ''] = action.message.split(' ');
    const what = `${verb} ${action.desired.spec.selector?.[LABEL.track] ?? ''}`;
    const checked = action.takesTrafficBack ? undefined : action.leadsTo?.map(({ name }) => name);
    return [{ said: action.takesTrafficBack ? `first: ${what}` : what, desired: action.desired, checked }];
  });
}

/** `said`: left out if the Service is not written. */
type Row = [what: string, words: Words, said?: string, change?: Change];

function showEach(rows: readonly Row[]): void {
  test.each(rows)('%s', (_what, words, said, change) => {
    expect(serviceActions(words, change).map((action) => action.said)).toEqual(said === undefined ? [] : [said]);
  });
}

/** Revision 2 has entered pool a, where revision 1 serves, and has `ready` ready pods there. */
function coming(ready: number, pool: PoolWords = {}, facts: FactWords = {}): Words {
  const a: FactWords = { entered: 5, clock: 5, ...facts };
  return { pools: { a: { beside: { 2: ready }, ...pool } }, revisions: { 2: { in: { a } } } };
}

/** Changes the status of the Deployments of both revisions. */
function status(more: Deployment['status']): Change {
  return ({ deployments }) => ({
    deployments: deployments.map((one) => ({ ...one, status: { ...one.status, ...more } })),
  });
}

/** Changes the generation of the Deployments of both revisions, and the one that their controller has observed. */
function generation(written: number, observedGeneration: number): Change {
  return ({ deployments }) => ({
    deployments: deployments.map(({ metadata, status, ...one }) => ({
      ...one,
      metadata: { ...metadata, generation: written },
      status: { ...status, observedGeneration },
    })),
  });
}

describe('a promotion', () => {
  const shared = { spec: { serviceName: 'web' } };
  const both: FactWords = { entered: 5, clock: 5 };
  function together(ready: number): Words {
    return {
      stages: { canary: { pools: ['a', 'd'] } },
      pools: { a: { ...shared, beside: { 2: 2 } }, d: { ...shared, beside: { 2: ready } } },
      revisions: { 2: { in: { a: both, d: both } } },
    };
  }
  showEach([
    ['switches when all its pods are ready', coming(2), 'switch web-a-2'],
    ['does not switch while one pod is not ready', coming(1)],
    ['does not switch while one pod is not available yet', coming(2), undefined, status({ availableReplicas: 1 })],
    ['does not switch before it has a Deployment', coming(2, { beside: {} })],
    ['does not switch while the release is paused', { ...coming(2), paused: 'holidays' }],
    ['does not switch if the revision failed', coming(2, {}, { failed: 2 })],
    [
      'does not switch if a pod runs another image',
      coming(2),
      undefined,
      ({ pods }) => ({
        pods: pods.map((pod) => ({
          ...pod,
          containers: pod.containers.map((one) => ({ ...one, imageID: `web@${DIGEST}` })),
        })),
      }),
    ],
    ['switches without replicas', coming(0, { replicas: 0 }), 'switch web-a-2'],
    ['switches pools behind one Service together', together(2), 'switch web-2'],
    ['does not switch while one pool of the Service is not ready', together(1)],
    ['creates the Service of a new pool before the pods', coming(0, { serves: 0, beside: {} }), 'create web-a-2'],
    ['creates no Service while the release is paused', { ...coming(0, { serves: 0, beside: {} }), paused: 'holidays' }],
  ]);

  test('has its Deployment checked first, because another leader may have removed it', () => {
    expect(serviceActions(coming(2)).map(({ checked }) => checked)).toEqual([[expect.stringMatching(/^web-a-2/)]]);
  });
});

describe('a rollback', () => {
  /** The ready pods of revision 2, which serves, and of revision 1, the target of the rollback. */
  function back(serving: number, ready: number, more: PoolWords = {}): Words {
    return {
      pools: { a: { serves: 2, ready: serving, beside: { 1: ready }, ...more } },
      revisions: { 2: { in: { a: { entered: 10 } } } },
      rollback: { against: 2, to: { a: 1 }, names: true },
    };
  }
  showEach([
    ['switches, before all else, when as many pods are ready as serve', back(2, 2), 'first: switch web-a-1'],
    ['needs no more ready pods than serve now', back(1, 1), 'first: switch web-a-1'],
    ['does not switch with fewer ready pods', back(2, 1)],
    ['needs at least one ready pod', back(0, 0)],
    ['needs one ready pod if no pod serves', back(0, 1), 'first: switch web-a-1'],
    ['needs no ready pod in a pool without replicas', back(0, 0, { replicas: 0 }), 'first: switch web-a-1'],
    ['switches while the release is paused', { ...back(2, 2), paused: 'holidays' }, 'first: switch web-a-1'],
    [
      'does not count ready pods that the status of the Deployment does not count',
      back(2, 2),
      undefined,
      status({ readyReplicas: 1 }),
    ],
    ['does not count pods that a scale-down removes', back(2, 2), undefined, status({ replicas: 3 })],
    ['does not count pods that a scale-down may have removed', back(2, 2), undefined, generation(5, 3)],
    ['counts them after any other write', back(2, 2), 'first: switch web-a-1', generation(5, 4)],
    ['counts them if no pod serves', back(0, 1), 'first: switch web-a-1', generation(5, 3)],
  ]);

  test('does not wait for a check of its Deployment', () => {
    expect(serviceActions(back(2, 2)).map(({ checked }) => checked)).toEqual([undefined]);
  });
});

describe('a revert', () => {
  function reverted(one: FactWords, ready = 1): Words {
    return {
      wants: 1,
      pools: { a: { serves: 2, ready: 1, beside: { 1: ready } } },
      revisions: { 1: { in: { a: { ...one, entered: 1 } } }, 2: { in: { a: { entered: 10 } } } },
    };
  }
  showEach([
    ['switches when as many pods are ready as serve', reverted(GOOD), 'first: switch web-a-1'],
    ['switches while the release is paused', { ...reverted(GOOD), paused: 'holidays' }, 'first: switch web-a-1'],
    ['needs all pods if the revision was never good in the pool', reverted({})],
    ['is no return if the revision was never good in the pool', reverted({}, 2), 'switch web-a-1'],
  ]);
});

describe('a move to other VMs', () => {
  function moving(moved: number, ready = 2): Words {
    return { wants: 1, pools: { a: { moved, ready } }, revisions: { 1: { in: { a: { ...GOOD, placed: 3 } } } } };
  }
  showEach([
    ['switches when all pods are ready there', moving(2), 'switch web-a-1'],
    ['does not switch while one pod is not ready', moving(1)],
    ['switches with one ready pod if no pod serves', moving(1, 0), 'switch web-a-1'],
    ['does not switch without a ready pod', moving(0, 0)],
    ['goes on while the release is paused', { ...moving(2), paused: 'holidays' }, 'switch web-a-1'],
  ]);
});

function edited(edit: (service: Service) => Partial<Service>): Change {
  return ({ services }) => ({ services: services.map((one) => ({ ...one, ...edit(one) })) });
}

function selecting(selector: Record<string, string>, more: Partial<Service> = {}): Change {
  return edited(({ spec }) => ({ spec: { ...spec, selector }, ...more }));
}

const noService: Change = () => ({ services: [] });
const byTrack = { [LABEL.track]: 'web-a-1' };

describe('before the switch, a Service of the served revision', () => {
  showEach([
    ['gets its selector back if somebody changed it', coming(1), 'keep web-a-1', selecting({ app: 'other' })],
    ['is created again if it was deleted', coming(0), 'create web-a-1', noService],
    ['is created again while one pod of the target is ready', coming(1), 'create web-a-1', noService],
    ['is created again while the release is paused', { ...coming(0), paused: 'holidays' }, 'create web-a-1', noService],
    ['is created again for the target once all pods of the target are ready', coming(2), 'create web-a-2', noService],
    [
      'is compared by a dry run if it has other fields',
      coming(1),
      'ask',
      edited(({ spec }) => ({ spec: { ...spec, type: 'NodePort' } })),
    ],
    ['keeps a selector with the track alone', coming(1), undefined, selecting(byTrack)],
    [
      'does not keep that selector if somebody else wrote it',
      coming(1),
      'keep web-a-1',
      selecting(byTrack, { selectorOwner: 'kubectl' }),
    ],
  ]);

  const ports: Words = {
    revisions: { 2: { in: { a: { entered: 5, clock: 5 } }, spec: { service: { ports: [{ port: 81 }] } } } },
  };
  test.each([
    ['the served revision', 0, 80],
    ['the target once all its pods are ready', 2, 81],
  ])('is created with the ports of %s', (_what, ready, port) => {
    const [made] = serviceActions({ ...coming(ready), ...ports }, noService);
    expect(made?.desired.spec.ports).toMatchObject([{ port }]);
  });
});

describe('a Service whose selector somebody changed while its target serves', () => {
  const serving: Words = { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: GOOD } } } };
  const legacy = { app: 'legacy' };
  const switched = { [ANNOTATION.switchedAt]: new Date(NOW - 60_000).toISOString() };
  function adopted(annotations: Record<string, string>): Change {
    const metadata = meta('web-a', {
      annotations: { [ANNOTATION.adopt]: 'true', ...annotations },
      labels: { [LABEL.release]: 'web' },
    });
    return () => ({
      services: [],
      foreignServices: [{ metadata, spec: { selector: legacy, ports: [{ port: 8080 }] } }],
    });
  }
  showEach([
    ['gets it back, which is no switch', serving, 'keep web-a-2', selecting(legacy)],
    ['gets it back if it is adopted', serving, 'keep web-a-2', adopted(switched)],
    ['is switched if it is adopted and never was', serving, 'switch web-a-2', adopted({})],
  ]);

  test('keeps the time of its last switch', () => {
    const [kept] = serviceActions(serving, adopted(switched));
    expect(kept?.desired.metadata.annotations).toMatchObject(switched);
  });
});

describe('a label app.kubernetes.io/managed-by of the user', () => {
  const helm = { spec: { service: { ports: [{ port: 80 }], metadata: { labels: { [LABEL.managedBy]: 'Helm' } } } } };
  const asBefore = edited(({ metadata }) => ({
    metadata: { ...metadata, labels: { ...metadata.labels, [LABEL.managedBy]: 'apprelease' } },
  }));
  showEach([
    [
      'comes with the next switch, so that an upgrade writes to no Service',
      { ...coming(1), ...helm },
      undefined,
      asBefore,
    ],
    [
      'is put back if somebody changed it',
      { ...coming(1), ...helm },
      'ask',
      edited(({ metadata }) => ({
        metadata: { ...metadata, labels: { ...metadata.labels, [LABEL.managedBy]: 'me' } },
      })),
    ],
  ]);

  test('replaces that of the operator in a switch', () => {
    const [switched] = serviceActions({ ...coming(2), ...helm }, asBefore);
    expect(switched?.desired.metadata.labels).toMatchObject({ [LABEL.managedBy]: 'Helm' });
  });
});

test('a switch records its time and the previous track in annotations', () => {
  const [switched] = serviceActions(coming(2));
  expect(switched?.desired.metadata.annotations).toMatchObject({
    [ANNOTATION.revision]: '2',
    [ANNOTATION.switchedAt]: new Date(NOW).toISOString(),
    [ANNOTATION.previousTrack]: 'web-a-1',
  });
});

describe('a Service of somebody else', () => {
  function foreign(annotations: Record<string, string>, selector: Record<string, string>): Change {
    const labels: Record<string, string> = LABEL.track in selector ? { [LABEL.release]: 'web' } : {};
    const service = { metadata: meta('web-a', { annotations, labels }), spec: { selector, ports: [{ port: 8080 }] } };
    return () => ({ services: [], foreignServices: [service] });
  }
  const adopt = { [ANNOTATION.adopt]: 'true' };
  const legacy = { app: 'legacy' };
  const ours = { ...byTrack, [LABEL.release]: 'web' };
  showEach([
    ['is left alone', coming(2), undefined, foreign({}, legacy)],
    ['that is handed over keeps its selector until the first switch', coming(1), undefined, foreign(adopt, legacy)],
    ['that is handed over is switched', coming(2), 'switch web-a-2', foreign(adopt, legacy)],
    ['that was switched before is kept', coming(1), undefined, foreign(adopt, ours)],
  ]);
  test('gets only a selector in its spec', () => {
    const [switched] = serviceActions(coming(2), foreign(adopt, legacy));
    expect(switched?.desired.spec).toEqual({ selector: { [LABEL.track]: 'web-a-2', [LABEL.release]: 'web' } });
  });
});
