import { describe, expect, test } from 'vitest';
import type { AppReleaseSpec } from '../../api/app-release.ts';
import { plan } from '../plan.ts';
import { makeDeployment, makeService } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import { placementKeys, placementOf, topologyOf } from '../record/revision.ts';
import { controllerRevision, live, liveService, NOW, observed, podsFor, release, revision, spec } from '../testing.ts';
import { readSpec } from './valid-spec.ts';

function read(given: unknown) {
  return readSpec(observed({ release: release(given as AppReleaseSpec) }));
}

/** The spec of the tests with fields that a user may have written in the template. */
function written(podSpec: object, container: object = {}): AppReleaseSpec {
  const base = spec();
  const [main] = base.template.spec.containers;
  const template = { spec: { ...base.template.spec, containers: [{ ...main, ...container }], ...podSpec } };
  return { ...base, template } as AppReleaseSpec;
}

const NULLS = written(
  {
    volumes: null,
    imagePullSecrets: null,
    nodeSelector: null,
    tolerations: null,
    affinity: { nodeAffinity: null, podAntiAffinity: null },
    topologySpreadConstraints: null,
    serviceAccountName: null,
    restartPolicy: null,
    securityContext: { fsGroup: null },
  },
  { env: null, resources: { requests: null }, imagePullPolicy: null, livenessProbe: null },
);
const WITHOUT = written({ affinity: {}, securityContext: {} }, { resources: {} });

describe('null means absent', () => {
  test('in every field', () => {
    expect(read(NULLS)).toEqual(read(WITHOUT));
    expect(read(NULLS)).toHaveProperty('spec');
    expect(read(written({}, { ports: null }))).toMatchObject({ problem: { reason: 'InvalidPort' } });
  });

  test('in the template and the autoscaling of a pool', () => {
    const stages = [
      {
        name: 'all',
        pools: [
          {
            name: 'a',
            nodeSelector: {},
            template: { spec: { containers: [{ name: 'main', envFrom: null, resources: { limits: null } }] } },
            autoscaling: { maxReplicas: 3, behavior: { scaleUp: null } },
          },
        ],
      },
    ];
    expect(read({ ...spec(), stages })).toMatchObject({
      spec: {
        stages: [
          {
            pools: [
              {
                template: { spec: { containers: [{ name: 'main', resources: {} }] } },
                autoscaling: { behavior: {} },
              },
            ],
          },
        ],
      },
    });
  });

  function plainRelease(wanted: AppReleaseSpec, recorded: AppReleaseSpec) {
    const now = new Date(NOW - 3_600_000).toISOString();
    const first: Revision = revision(1, spec());
    const keys = placementKeys(topologyOf(spec()), 'web', 'BlueGreen');
    const facts = Object.fromEntries(
      ['a', 'b'].map((pool) => {
        const entered = { at: now, attempt: 1, key: keys.get(pool) ?? '' };
        return [pool, { entered, healthySince: now, good: now }];
      }),
    );
    const owner = { name: 'web', namespace: 'shop', uid: 'uid-web' };
    const pools = spec().stages.flatMap((stage) => stage.pools);
    const deployments = pools.map((pool) => {
      const identity = {
        pool: pool.name,
        revision: first,
        placement: placementOf(pool),
        strategy: 'BlueGreen' as const,
        key: keys.get(pool.name) ?? '',
      };
      const options = { owner, identity, track: `web-${pool.name}-1`, replicas: pool.replicas };
      return live(makeDeployment({ ...options, topology: topologyOf(spec()) }), pool.replicas);
    });
    const services = pools.map(({ name }) => {
      const options = { owner, name: `web-${name}`, pools: [name], track: `web-${name}-1`, annotations: {} };
      return liveService(makeService({ ...options, revision: first, template: { type: 'ClusterIP', ports: [] } }));
    });
    const data = { ...first.data, input: { ...first.data.input, template: recorded.template } };
    return observed({
      release: release(wanted),
      revisions: [controllerRevision({ ...first, data, facts: { pools: facts, approvals: {} } })],
      deployments,
      services,
      pods: deployments.flatMap((deployment) => podsFor(deployment, deployment.spec.replicas ?? 0)),
    });
  }

  const PLAIN_NULLS = written({ nodeSelector: null, affinity: null, hostUsers: null }, { livenessProbe: null });

  test.each<[string, AppReleaseSpec, AppReleaseSpec]>([
    ['recorded by an older operator', spec(), PLAIN_NULLS],
    ['recorded by an older operator and still in the spec', PLAIN_NULLS, PLAIN_NULLS],
    ['added to a spec that was recorded without them', PLAIN_NULLS, spec()],
  ])('%s: nulls make no new revision and no write of a Deployment or Service', (_, wanted, recorded) => {
    const { actions, view } = plan(plainRelease(wanted, recorded), NOW);
    expect(view.wanted).toMatchObject({ state: 'Recorded', revision: { number: 1 } });
    expect(actions.map(({ kind }) => kind).filter((kind) => /Revision$|Deployment|Service/.test(kind))).toEqual([]);
  });
});

describe('a spec that was stored before the CRD described its fields', () => {
  test.each<[string, AppReleaseSpec]>([
    ['spec.template.spec.containers[0].env: ', written({}, { env: { A: 'b' } })],
    ['spec.template.spec.imagePullSecrets: ', written({ imagePullSecrets: { name: 'key' } })],
    ['spec.template.spec.volumes[0]: ', written({ volumes: [null] })],
    [
      'spec.workloadMetadata.labels: must have no key that begins with apprelease.dev/: such keys belong to the operator',
      { ...spec(), workloadMetadata: { labels: { 'apprelease.dev/pool': 'a' } } },
    ],
    [
      'spec.workloadMetadata.annotations: must have at most 64 keys',
      {
        ...spec(),
        workloadMetadata: { annotations: Object.fromEntries(Array.from({ length: 65 }, (_, key) => [`k${key}`, ''])) },
      },
    ],
    [
      'spec.template.spec.containers[0].resources.limits.cpu: must be a quantity',
      written({}, { resources: { limits: { cpu: [] } } }),
    ],
  ])('gives a message with the field: %s', (message, wrong) => {
    const problem = { reason: 'InvalidSpec', message: expect.stringContaining(message) as string };
    expect(read(wrong)).toEqual({ problem });
  });

  test('is rejected if it is nested too deep or has a field named __proto__', () => {
    let deep: unknown = 'end';
    for (let level = 0; level < 9_000; level += 1) deep = { a: deep };
    expect(read(written({ securityContext: deep }))).toEqual({
      problem: {
        reason: 'InvalidSpec',
        message: 'spec.template.spec.securityContext.a.a.a.a.a.a.a.a.a…: nested deeper than 100 levels',
      },
    });
    expect(read(written(JSON.parse('{"nodeSelector":{"__proto__":"a"}}') as object))).toEqual({
      problem: {
        reason: 'InvalidSpec',
        message: 'spec.template.spec.nodeSelector.__proto__: no field can have this name',
      },
    });
  });
});
