import { describe, expect, test } from 'vitest';
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Deployment, Service } from '../record/kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import { plan } from '../plan.ts';
import {
  formerWorkloadName,
  makeDeployment,
  makeService,
  trackName,
  workloadName,
  workloadNames,
} from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts } from '../record/recorded-data.ts';
import { placementKeys, placementOf, topologyOf } from '../record/revision.ts';
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
  spec,
} from '../testing.ts';

const EARLIER = '2026-01-01T11:30:00Z';
const POOL = 'prod-a';

/** One pool behind one Service. */
function single(version: string, more: object = {}) {
  const stages = [
    { name: 'all', pools: [{ name: POOL, replicas: 2, nodeSelector: {}, serviceName: 'shop', ...more }] },
  ];
  return spec({ version, stages });
}

const wanted = single('1.0.0');
const key = placementKeys(topologyOf(wanted), 'web', 'BlueGreen').get(POOL) ?? '';

function good(): Facts {
  return {
    pools: { [POOL]: { entered: { at: EARLIER, attempt: 1, key }, healthySince: EARLIER, good: EARLIER } },
    approvals: {},
  };
}

const first = revision(1, wanted, good());

function identity(of: Revision, name?: string) {
  const placement = placementOf({ name: POOL, replicas: 2, nodeSelector: {} });
  return {
    pool: POOL,
    revision: of,
    placement,
    strategy: 'BlueGreen' as const,
    key,
    ...(name !== undefined && { name }),
  };
}

function running(of: Revision, name?: string): Deployment {
  const track = trackName('shop', identity(of));
  const topology = topologyOf(wanted);
  return live(makeDeployment({ owner: meta('web'), identity: identity(of, name), track, replicas: 2, topology }), 2);
}

function serving(of: Revision, more: { byTrackAlone?: boolean; name?: string } = {}): Service {
  const template = wanted.service ?? { ports: [], type: 'ClusterIP' as const };
  const track = trackName('shop', identity(of));
  const options = { owner: meta('web'), name: 'shop', pools: [POOL], track, revision: of, template, annotations: {} };
  return liveService(makeService({ ...options, ...more }));
}

function actions(more: Partial<Observed>, revisions: readonly Revision[] = [first]): string[] {
  const deployments = more.deployments ?? [running(first)];
  const seen = observed({
    release: release(wanted),
    revisions: revisions.map(controllerRevision),
    deployments,
    services: [serving(first)],
    pods: deployments.flatMap((deployment) => podsFor(deployment, 2)),
    // Looked for, because the Service `annotated` names it.
    memory: { ...observed().memory, lost: new Set(['ControllerRevision/web-7']) },
    ...more,
  });
  return plan(seen, NOW).actions.flatMap((action) => {
    if (action.kind === 'ApplyDeployment') return [`Deployment ${action.desired.metadata.name}`];
    if (action.kind === 'DryRunApply') return [`ask of ${action.desired.kind} ${action.desired.metadata.name}`];
    if (action.kind !== 'ApplyService') return [];
    const { metadata, spec: body } = action.desired;
    return [`Service ${metadata.name} to ${JSON.stringify(body.selector)}`];
  });
}

function selector(track: string): string {
  return JSON.stringify({ [LABEL.track]: track, [LABEL.release]: 'web' });
}

const tampered: Service = { ...serving(first, { byTrackAlone: true }), selectorOwner: 'kubectl-edit' };
const noted = serving(first, { byTrackAlone: true });
const annotated = {
  ...noted,
  metadata: { ...noted.metadata, annotations: { ...noted.metadata.annotations, [ANNOTATION.revision]: '7' } },
};

describe('the selector of a Service', () => {
  test.each<[string, Service, string[]]>([
    ['has the track and the release', serving(first), []],
    ['of a Service of an earlier operator is not changed', serving(first, { byTrackAlone: true }), []],
    ['is restored if another manager removed the release', tampered, [`Service shop to ${selector('shop-1')}`]],
    [
      'of a Service of an earlier operator gets the release with the next write for another revision',
      annotated,
      [`Service shop to ${selector('shop-1')}`],
    ],
    [
      'is restored if another manager changed it',
      { ...serving(first), spec: { selector: { app: 'web' } } },
      [`Service shop to ${selector('shop-1')}`],
    ],
  ])('%s', (_what, service, expected) => {
    expect(actions({ services: [service] })).toEqual(expected);
  });

  test('of a Service of an earlier operator gets the release at the next switch', () => {
    const next = single('2.0.0');
    const second = revision(2, next, good());
    const world = {
      release: release(next),
      deployments: [running(first), running(second)],
      services: [serving(first, { byTrackAlone: true })],
    };
    expect(actions(world, [first, second])).toEqual([`Service shop to ${selector('shop-2')}`]);
  });
});

describe('before the first Deployment of a pool is created', () => {
  test('the Service is created', () => {
    expect(actions({ deployments: [], services: [] })).toEqual([`Service shop to ${selector('shop-1')}`]);
    expect(actions({ deployments: [] })).toEqual([`Deployment ${workloadName('web', identity(first))}`]);
  });

  test('the name of the Service must not belong to somebody else', () => {
    const memory = { ...observed().memory, nameConflicts: new Map([['Service/shop', 'it is another’s']]) };
    expect(actions({ deployments: [], services: [], memory })).toEqual([]);
  });

  test('an adopted Service is enough', () => {
    const foreign = {
      metadata: meta('shop', { annotations: { [ANNOTATION.adopt]: 'true' } }),
      spec: { selector: { app: 'old' } },
    };
    const world = { deployments: [], services: [], foreignServices: [foreign] };
    expect(actions(world)).toEqual([`Deployment ${workloadName('web', identity(first))}`]);
  });
});

describe('a running Deployment', () => {
  test('keeps its name', () => {
    const former = formerWorkloadName('web', identity(first));
    expect(former).toBe('web-prod-a-1');
    expect(actions({ deployments: [running(first, former)] })).toEqual([]);
  });

  test('is selected by a renamed Service', () => {
    const renamed = single('1.0.0', { serviceName: 'store' });
    expect(actions({ release: release(renamed) })).toEqual([`Service store to ${selector('shop-1')}`]);
  });

  test('is not selected by a renamed Service if a Service of another release selects its track', () => {
    const renamed = single('1.0.0', { serviceName: 'store' });
    const isSelectedByOthers = (track: string) => track === 'shop-1';
    const world = { release: release(renamed), services: [], isSelectedByOthers };
    expect(actions(world)).toEqual([`Service store to ${selector('store-1')}`]);
    const services = [
      {
        ...serving(first),
        metadata: meta('store', { labels: { [LABEL.release]: 'web', [LABEL.managedBy]: 'apprelease' } }),
        spec: { selector: { [LABEL.track]: 'store-1', [LABEL.release]: 'web' } },
      },
    ];
    const [made = ''] = actions({ ...world, services }).filter((action) => action.startsWith('Deployment'));
    expect(made).toMatch(/^Deployment web-prod-a-1-[0-9a-f]{5}-[0-9a-f]{8}$/);
  });
});

describe('a Service', () => {
  const [selected, other] = ['shop-1', 'store-1'];

  /** A Deployment with a track in its template, in its own label and on its pods. */
  function tracks(template: string, label: string, pods: string): Partial<Observed> {
    const deployment = running(first);
    const { metadata, spec: body } = deployment;
    const labels = { ...body.template.metadata?.labels, [LABEL.track]: template };
    const relabelled: Deployment = {
      ...deployment,
      metadata: { ...metadata, labels: { ...metadata.labels, [LABEL.track]: label } },
      spec: { ...body, template: { ...body.template, metadata: { ...body.template.metadata, labels } } },
    };
    const found = podsFor(relabelled, 2).map((pod) => ({
      ...pod,
      metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [LABEL.track]: pods } },
    }));
    return { deployments: [relabelled], pods: found };
  }

  test('ignores a changed track label on a Deployment, and the label is restored', () => {
    const name = running(first).metadata.name;
    expect(actions(tracks(selected, other, selected))).toEqual([`ask of Deployment ${name}`]);
  });

  test('switches to another track when pods have it', () => {
    expect(actions(tracks(other, other, selected))).toEqual([]);
    expect(actions(tracks(other, other, other))).toEqual([`Service shop to ${selector(other)}`]);
  });
});

describe('with RollingUpdate, a version', () => {
  function rolling(version: string, port: object, more: object = {}) {
    const containers = [{ name: 'main', image: `web:${version}`, ports: [{ name: 'http' }, { name: 'web' }], ...more }];
    return {
      ...single(version),
      strategy: { type: 'RollingUpdate' as const },
      template: { spec: { containers } },
      service: { ports: [port] },
    };
  }
  const before = spec(rolling('1.0.0', { port: 80, targetPort: 'http' }));
  const rollingKey = placementKeys(topologyOf(before), 'web', 'RollingUpdate').get(POOL) ?? '';

  function entered(number: number, of: AppReleaseSpec): Revision {
    const facts = { entered: { at: EARLIER, attempt: 1, key: rollingKey }, good: EARLIER };
    return revision(number, of, { pools: { [POOL]: facts }, approvals: {} });
  }

  function runs(of: Revision, own: boolean): Deployment {
    const as = { ...identity(of), strategy: 'RollingUpdate' as const, key: rollingKey };
    const track = trackName('shop', as, { own });
    const [name = ''] = workloadNames('web', as, track);
    return live(
      makeDeployment({
        owner: meta('web'),
        identity: { ...as, name },
        track,
        replicas: 2,
        topology: topologyOf(before),
      }),
      2,
    );
  }

  function serves(deployment: Deployment, of: Revision): Service {
    const track = deployment.metadata.labels?.[LABEL.track] ?? '';
    const template = before.service ?? { ports: [], type: 'ClusterIP' as const };
    return liveService(
      makeService({ owner: meta('web'), name: 'shop', pools: [POOL], track, revision: of, template, annotations: {} }),
    );
  }

  /** The writes that take a pool from the served revision to another one. */
  function steps(from: Revision, to: AppReleaseSpec, own = false): string[] {
    const next = entered(from.number + 1, to);
    const deployment = runs(from, own);
    return actions({ release: release(to), deployments: [deployment], services: [serves(deployment, from)] }, [
      from,
      next,
    ]);
  }

  const first = entered(1, before);
  const ownName = runs(entered(2, before), true).metadata.name;
  const inPlace = [`Deployment ${runs(first, false).metadata.name}`, `Service shop to ${selector('shop-rolling')}`];

  test.each<[string, AppReleaseSpec, string[]]>([
    ['with the same ports is rolled out in place', spec(rolling('2.0.0', { port: 80, targetPort: 'http' })), inPlace],
    [
      'that changes only the ports switches the ports in place',
      spec(rolling('1.0.0', { port: 81, targetPort: 'web' })),
      inPlace,
    ],
    [
      'that changes ports and image gets its own Deployment',
      spec(rolling('2.0.0', { port: 80, targetPort: 'web' })),
      [`Deployment ${ownName}`],
    ],
    [
      'that changes ports and arguments gets its own Deployment',
      spec(rolling('1.0.0', { port: 81, targetPort: 'http' }, { args: ['-v'] })),
      [`Deployment ${ownName}`],
    ],
  ])('%s', (_what, to, expected) => {
    expect(steps(first, to)).toEqual(expected);
  });

  test('that changes only the ports gets its own Deployment while pods of an older revision still run', () => {
    const from = entered(2, spec(rolling('2.0.0', { port: 80, targetPort: 'http' })));
    const to = spec(rolling('2.0.0', { port: 80, targetPort: 'web' }));
    const deployment = runs(from, false);
    const [old, ...others] = podsFor(deployment, 2);
    if (!old) throw new Error('no pod');
    const older = { ...old, metadata: { ...old.metadata, labels: { ...old.metadata.labels, [LABEL.revision]: '1' } } };
    const seen = { release: release(to), deployments: [deployment], services: [serves(deployment, from)] };
    const third = entered(3, to);
    expect(actions(seen, [first, from, third])[0]).toBe(`Deployment ${deployment.metadata.name}`);
    const own = runs(third, true).metadata.name;
    expect(actions({ ...seen, pods: [older, ...others] }, [first, from, third])).toEqual([`Deployment ${own}`]);
  });

  test('with the same ports stays in the Deployment of the last version with new ports', () => {
    const [deployment] = steps(first, spec(rolling('2.0.0', { port: 80, targetPort: 'http' })), true);
    expect(deployment).toBe(`Deployment ${runs(first, true).metadata.name}`);
  });

  test('with new ports gets ports and selector in one write when its pods are available', () => {
    const to = spec(rolling('2.0.0', { port: 80, targetPort: 'web' }));
    const second = entered(2, to);
    const deployments = [runs(first, false), runs(second, true)];
    const seen = { release: release(to), deployments, services: [serves(runs(first, false), first)] };
    expect(actions(seen, [first, second])).toEqual([`Service shop to ${selector('shop-2')}`]);
    const waiting = deployments.map((deployment, index) => (index === 0 ? deployment : { ...deployment, status: {} }));
    expect(actions({ ...seen, deployments: waiting }, [first, second])).toEqual([]);
  });

  test('gets the same Deployment name from a leader with an incomplete cache', () => {
    const stages = [
      {
        name: 'all',
        pools: [POOL, 'prod-b'].map((name) => ({ name, replicas: 2, nodeSelector: {}, serviceName: 'shop' })),
      },
    ];
    const both = spec({ ...rolling('1.0.0', { port: 80, targetPort: 'http' }), stages });
    const shared = placementKeys(topologyOf(both), 'web', 'RollingUpdate').get(POOL) ?? '';
    const facts = { entered: { at: EARLIER, attempt: 1, key: shared } };
    const of = revision(1, both, { pools: { [POOL]: facts, 'prod-b': facts }, approvals: {} });
    const [a, b] = [POOL, 'prod-b'].map((pool) => {
      const as = { ...identity(of), pool, strategy: 'RollingUpdate' as const, key: shared };
      const made = makeDeployment({
        owner: meta('web'),
        identity: as,
        track: 'shop-rolling',
        replicas: 2,
        topology: topologyOf(both),
      });
      return live(made, 0);
    });
    if (!a || !b) throw new Error('no Deployment');
    const seen = (deployments: Deployment[]) =>
      actions({ release: release(both), deployments, services: [serves(a, of)], pods: [] }, [of]);
    expect(seen([])).toEqual([`Deployment ${a.metadata.name}`, `Deployment ${b.metadata.name}`]);
    expect(seen([b])).toEqual([`Deployment ${a.metadata.name}`]);
  });
});
