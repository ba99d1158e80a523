import { describe, expect, test } from 'vitest';
import { LABEL } from '../../api/meta.ts';
import type { DesiredService } from '../record/kube-objects.ts';
import { rollOutGroup } from '../pools/roll-out.ts';
import type { ExposureWords } from '../route/exposure-testing.ts';
import { exposing } from '../route/exposure-testing.ts';
import { exposingIn } from '../state/exposure.ts';
import type { Observed } from '../state/observed.ts';
import { meta, NOW, rollout } from '../testing.ts';
import { GOOD } from '../world-testing.ts';

interface Written {
  said: string;
  desired: DesiredService;
  /** The Deployments that are checked before the write. */
  checked?: string[] | undefined;
}

/** The writes of the second Service of pool a. */
function writes(words: ExposureWords, more: Partial<Observed> = {}): Written[] {
  const seen = rollout({ ...exposing(words), ...more });
  const [group] = seen.groups;
  return (group ? rollOutGroup(seen, group).actions : []).flatMap((action) => {
    if (action.kind !== 'ApplyService' || action.desired.metadata.name !== 'web-a-next') return [];
    const [verb = ''] = action.message.split(' ');
    const what = `${verb} ${action.desired.spec.selector?.[LABEL.track] ?? ''}`;
    const checked = action.takesTrafficBack ? undefined : action.leadsTo?.map(({ name }) => name);
    return [{ said: action.takesTrafficBack ? `first: ${what}` : what, desired: action.desired, checked }];
  });
}

const EMPTY: ExposureWords = { pool: { replicas: 0, ready: 0 }, ready: 0, isReached: false };
const HELD = { rollback: { against: 2, to: { a: 1 } } };

describe('the second Service', () => {
  test.each<[what: string, words: ExposureWords, said?: string]>([
    ['is made for what the pool serves', { next: 0, ready: 0 }, 'create web-a-1'],
    ['leads to a new revision once all its pods are ready', { next: 1 }, 'lead web-a-2'],
    ['does not lead to it before', { next: 1, ready: 1 }],
    ['does not lead to it while the route has the weight of another exposure', { next: 1, weights: [120, 120] }],
    ['does not lead to it while the release is paused', { next: 1, words: { paused: 'lunch' } }],
    ['stays there while some of its pods are ready', { ready: 1 }],
    ['goes back if none is', { ready: 0 }, 'lead web-a-1'],
    ['goes back in a rollback, before all other writes', { words: HELD }, 'first: lead web-a-1'],
    ['does not go back to fewer ready pods', { words: HELD, pool: { ready: 1 } }],
    ['goes back at once to as many as it has', { words: HELD, pool: { ready: 1 }, ready: 1 }, 'first: lead web-a-1'],
    ['goes back when another revision is wanted', { words: { wants: 1 } }, 'lead web-a-1'],
    ['follows the first one', { next: 1, serves: 2 }, 'lead web-a-2'],
    ['goes to the new revision of a pool without pods', { ...EMPTY, next: 1 }, 'lead web-a-2'],
    ['stays at the new revision of a pool without pods', EMPTY],
    ['is not written without need', {}],
  ])('%s', (_what, words, said) => {
    expect(writes(words).map((one) => one.said)).toEqual(said === undefined ? [] : [said]);
  });

  test('is checked against the Deployment that it is to lead to', () => {
    expect(writes({ next: 1 })[0]?.checked).toEqual(['web-a-2']);
  });

  test('is of type ClusterIP, with the ports of the first and metadata of its own', () => {
    const service = {
      ports: [{ name: 'http', port: 80, appProtocol: 'kubernetes.io/h2c' }],
      type: 'LoadBalancer',
      metadata: { labels: { scrape: 'yes' }, annotations: { 'cloud.example.com/lb': 'public' } },
      sessionAffinity: 'ClientIP',
    };
    const nextMetadata = { labels: { team: 'shop' }, annotations: { 'cloud.example.com/neg': 'on' } };
    const route = { parentRefs: [{ name: 'public' }], nextMetadata };
    const [written] = writes({ next: 0, ready: 0, words: { spec: { service, route } } });
    expect(written?.desired).toMatchObject({
      metadata: { name: 'web-a-next' },
      spec: {
        type: 'ClusterIP',
        ports: [{ name: 'http', port: 80, targetPort: 80, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' }],
        selector: { [LABEL.track]: 'web-a-1', [LABEL.release]: 'web' },
        sessionAffinity: 'ClientIP',
      },
    });
    const { labels, annotations } = written?.desired.metadata ?? {};
    expect(labels).toEqual({
      'app.kubernetes.io/managed-by': 'apprelease',
      [LABEL.release]: 'web',
      [LABEL.next]: 'true',
      team: 'shop',
    });
    expect(Object.keys(annotations ?? {}).toSorted()).toEqual([
      'apprelease.dev/revision',
      'apprelease.dev/version',
      'cloud.example.com/neg',
    ]);
  });

  test('of somebody else is left alone, and keeps new versions out', () => {
    const foreign = { metadata: meta('web-a-next'), spec: {} };
    const seen = rollout({ ...exposing({ next: 0, ready: 0 }), foreignServices: [foreign] });
    expect(writes({ next: 0, ready: 0 }, { foreignServices: [foreign] })).toEqual([]);
    const [stage] = seen.topology.stages;
    expect(stage && seen.gate(stage)).toMatchObject({ reason: 'NameTaken' });
  });

  test('does not say what a pool serves: the first one does', () => {
    const base = exposing();
    const seen = rollout({ ...base, services: base.services.filter(({ metadata }) => metadata.name !== 'web-a') });
    expect(seen.pools[0]?.served?.number).toBe(1);
  });
});

describe('the first Service', () => {
  test.each<[what: string, words: ExposureWords, said: string[]]>([
    ['is not switched before the exposure begins', {}, []],
    ['is not switched in a step', { record: { phase: 'Stepping', step: 0, since: 10 } }, []],
    ['is not switched as soon as all traffic has left it', { record: { phase: 'Full', step: 1, since: 10 } }, []],
    ['is switched once gateways have followed', { record: { phase: 'Switching', step: 1 } }, ['switch web-a-2']],
    [
      'is switched at once in a stage without steps',
      { words: { stages: { canary: { match: [{ headers: [{ name: 'x', value: 'y', type: 'Exact' }] }] } } } },
      ['switch web-a-2'],
    ],
  ])('%s', (_what, words, said) => {
    const seen = rollout(exposing(words));
    const [group] = seen.groups;
    const found = (group ? rollOutGroup(seen, group).actions : []).flatMap((action) =>
      action.kind === 'ApplyService' && action.desired.metadata.name === 'web-a'
        ? [`${action.message.split(' ')[0] ?? ''} ${action.desired.spec.selector?.[LABEL.track] ?? ''}`]
        : [],
    );
    expect(found).toEqual(said);
  });
});

test('the first Service is not switched past the steps while another pool of the stage stays at an older revision', () => {
  const stages = {
    canary: { pools: ['d', 'a'], exposure: [{ percent: 10, for: '1m', approval: 'Automatic' as const }] },
  };
  const pools = {
    a: { beside: { 2: 2 }, spec: { weight: 20 } },
    d: { spec: { weight: 20 } },
    b: { spec: { weight: 80 } },
  };
  const revisions = { 1: { in: { a: GOOD, b: GOOD, d: GOOD } }, 2: { in: { a: { entered: 5 } } } };
  const seen = rollout(exposing({ words: { stages, pools, revisions } }));
  const group = seen.groups.find(({ serviceName }) => serviceName === 'web-a');
  const written = group ? rollOutGroup(seen, group).actions.map(({ message }) => message) : [];
  expect(written.filter((message) => message.startsWith('switch'))).toEqual([]);
  const [stage] = seen.topology.stages;
  expect(stage && exposingIn(seen, stage)?.revision.number).toBe(2);
});

test.each<[what: string, words: ExposureWords, removed: string[]]>([
  ['stay until the traffic is back', { record: { phase: 'Returning', step: 1, since: 10 }, serves: 2 }, []],
  ['go afterwards', { serves: 2 }, ['web-a-1']],
])('old pods %s', (_what, words, removed) => {
  const long = NOW - 600_000;
  const switchedAt = new Date(long).toISOString();
  const drained = {
    services: new Map([['web-a', { track: 'web-a-2', switchedAt, since: long }]]),
    tracks: new Map([['web-a-1', long]]),
  };
  const spec = { rollback: { warmFor: '0s' } };
  const seen = rollout(exposing({ ...words, switched: 600, leftBefore: true, words: { spec, memory: { drained } } }));
  const [group] = seen.groups;
  const found = (group ? rollOutGroup(seen, group).actions : []).flatMap((action) =>
    action.kind === 'DeleteDeployment' ? [action.target.name] : [],
  );
  expect(found).toEqual(removed);
});
