// Fuzz test of fields without a schema: no pass throws, and a rollback is accepted and carried out.
// `make fuzz` runs more cases; a failure prints its seed.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AppReleaseSpec } from '../api/app-release.ts';
import { ANNOTATION, LABEL } from '../api/meta.ts';
import type { ReleaseRollback } from '../api/release-rollback.ts';
import type { Action } from './record/actions.ts';
import type { ControllerRevision } from './record/kube-objects.ts';
import type { DigestLookup, DryRun, Observed } from './state/observed.ts';
import type { Plan } from './plan.ts';
import { plan } from './plan.ts';
import { makeDeployment, makeService } from './record/desired.ts';
import type { Revision } from './record/revision.ts';
import { placementKeys, placementOf, topologyOf } from './record/revision.ts';
import { releaseStatus } from './status/status.ts';
import {
  ago,
  controllerRevision,
  DIGEST,
  ledgerWith,
  live,
  liveService,
  meta,
  NOW,
  observed,
  podsFor,
  release,
  revision,
  spec,
} from './testing.ts';

/** Time for each of the four properties (ms), from FUZZ_SECONDS; 0: some cases only. */
const LIMIT = (Number(process.env.FUZZ_SECONDS ?? 0) * 1000) / 4;
const RUNS = LIMIT === 0 ? { numRuns: 50 } : { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: LIMIT };
/** Timeout on a busy machine (ms); shrinking a failed case takes time too. */
const TIME = 120_000 + 2 * LIMIT;

const AT = '2026-01-01T11:10:00.000Z';
const POOLS = spec().stages.flatMap((stage) => stage.pools);
const KEYS = placementKeys(topologyOf(spec()), 'web', 'BlueGreen');

/** A revision that is good in every pool. */
function good(number: number, from = spec()): Revision {
  const pools = POOLS.map(({ name }) => {
    const entered = { at: AT, attempt: 1, key: KEYS.get(name) ?? '' };
    return [name, { entered, healthySince: AT, good: AT }] as const;
  });
  return revision(number, from, { pools: Object.fromEntries(pools), approvals: {} });
}

const FIRST = good(1);
const SECOND = good(2, spec({ version: '2.0.0' }));

function deploymentOf({ name, ...pool }: (typeof POOLS)[number], of: Revision) {
  const identity = {
    pool: name,
    revision: of,
    placement: placementOf({ name, ...pool }),
    strategy: 'BlueGreen' as const,
    key: KEYS.get(name) ?? '',
  };
  const owner = { name: 'web', namespace: 'shop', uid: 'uid-web' };
  const options = { owner, identity, track: `web-${name}-${of.number}`, replicas: pool.replicas };
  return live(makeDeployment({ ...options, topology: topologyOf(spec()) }), pool.replicas);
}

/** Resolves every image and accepts every template, so that arbitrary values get as far as possible. */
class Anything extends Map<string, DryRun> {
  override get(): DryRun {
    return { ok: true };
  }
}
const RESOLVED: DigestLookup = { state: 'resolved', image: `web@${DIGEST}`, digest: DIGEST };
/** Revision 2 serves, revision 1 stands by, and there is a rollback to it. */
function world(more: Partial<Observed> = {}): Observed {
  const deployments = [FIRST, SECOND].flatMap((of) => POOLS.map((pool) => deploymentOf(pool, of)));
  const services = POOLS.map(({ name }) => {
    const owner = { name: 'web', namespace: 'shop', uid: 'uid-web' };
    const options = { owner, name: `web-${name}`, pools: [name], track: `web-${name}-2`, revision: SECOND };
    return liveService(makeService({ ...options, annotations: {}, template: { type: 'ClusterIP', ports: [] } }));
  });
  const base = observed();
  return {
    ...base,
    lookUpDigest: () => RESOLVED,
    revisions: [controllerRevision(FIRST), controllerRevision(SECOND), recordWith()],
    deployments,
    services,
    pods: deployments.flatMap((deployment) => podsFor(deployment, deployment.spec.replicas ?? 0)),
    rollbacks: [rollback()],
    memory: { ...base.memory, dryRuns: new Anything() },
    ...more,
  };
}

function recordWith(annotations: Record<string, string> = {}): ControllerRevision {
  return ledgerWith({ [ANNOTATION.topology]: JSON.stringify(topologyOf(spec())), ...annotations });
}

function rollback(): ReleaseRollback {
  return { metadata: meta('back'), spec: { release: 'web', toRevision: 1, force: false } };
}

type Patch = Action & { kind: 'PatchRollback' };

/** Makes a plan and its status. */
function pass(seen: Observed) {
  const made = plan(seen, NOW);
  expect(releaseStatus(made.view, {}).conditions).toBeDefined();
  return made;
}

/** The status that the plan writes to the rollback, and the plan after that write. */
function answered(seen: Observed): { status: Patch['status'] | undefined; next: Plan } {
  const { actions } = pass(seen);
  const missing = actions.flatMap((action) => (action.kind === 'FindLost' ? [`${action.object}/${action.name}`] : []));
  // The look-ups find nothing.
  if (missing.length > 0) return answered({ ...seen, memory: { ...seen.memory, lost: new Set(missing) } });
  const patch = actions.find((action): action is Patch => action.kind === 'PatchRollback');
  expect(patch).toBeDefined();
  const rollbacks = seen.rollbacks.map((one) => ({ ...one, ...(patch && { status: patch.status }) }));
  return { status: patch?.status, next: pass({ ...seen, rollbacks }) };
}

function expectToGoBack(seen: Observed): void {
  const { status, next } = answered(seen);
  expect(status?.conditions?.find(({ type }) => type === 'Accepted')).toMatchObject({ status: 'True' });
  const tracks = next.actions.flatMap((action) =>
    action.kind === 'ApplyService' ? [action.desired.spec.selector?.[LABEL.track]] : [],
  );
  expect(tracks.toSorted()).toEqual(['web-a-1', 'web-b-1']);
}

const KEY = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', 'name', 'image', 'reference'),
  fc.constantFrom('requests', 'limits', 'labelSelector', 'matchLabels', 'key', 'values', 'pools', 'entered', 'at'),
  fc.string({ maxLength: 5 }),
);

const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom(null, true, 0, -1, 1.5, 1e308, '', 'Always', 'constructor', '__proto__', '1Gi', '2026-99-99', AT),
    fc.string({ maxLength: 5 }),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.array(fc.tuple(KEY, tie('json')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries) as unknown),
  ),
}));

/** Arbitrary JSON, or objects with some of these fields. */
function almost(...fields: string[]) {
  return fc.oneof(json, fc.array(some(...fields), { maxLength: 3 }), some(...fields));
}

function some(...fields: string[]) {
  return fc.record(Object.fromEntries(fields.map((field) => [field, json])), { requiredKeys: [] });
}

/** At most two of the fields: a spec with more is rarely valid. */
function fewOf(fields: Record<string, fc.Arbitrary<unknown>>) {
  const one = Object.entries(fields).map(([field, value]) =>
    fc.oneof(value, fc.constant(null)).map((own) => [field, own]),
  );
  return fc.array(fc.oneof(...one), { maxLength: 2 }).map((own) => Object.fromEntries(own) as object);
}

const containerFields = fewOf({
  env: almost('name', 'value', 'valueFrom'),
  envFrom: json,
  ports: almost('name', 'containerPort', 'hostPort', 'protocol'),
  resources: almost('requests', 'limits'),
  imagePullPolicy: json,
  restartPolicy: json,
  securityContext: json,
});

const podFields = fewOf({
  initContainers: almost('name', 'image', 'resources', 'restartPolicy', 'ports'),
  volumes: almost('name', 'image', 'persistentVolumeClaim'),
  imagePullSecrets: almost('name'),
  nodeSelector: json,
  tolerations: almost('key', 'operator', 'value', 'effect'),
  affinity: fc.oneof(json, some('nodeAffinity', 'podAntiAffinity')),
  topologySpreadConstraints: almost('topologyKey', 'maxSkew', 'labelSelector', 'matchLabelKeys'),
  overhead: json,
  resources: almost('requests', 'limits'),
  hostNetwork: json,
  serviceAccountName: json,
  restartPolicy: json,
  dnsConfig: json,
});

const poolContainer = fewOf({
  env: almost('name', 'value'),
  envFrom: almost('prefix'),
  resources: almost('requests', 'limits'),
});

const autoscaling = fewOf({ metrics: almost('type', 'resource'), behavior: some('scaleUp', 'scaleDown') });

const hostileSpec = fc
  .record({
    containerFields,
    podFields,
    poolContainer,
    autoscaling,
    labels: json,
    service: json,
    odd: fc.nat(9).map((one) => one === 0),
  })
  .map(({ odd, ...any }) => {
    const base = spec({ version: '3.0.0' });
    const [main] = base.template.spec.containers;
    const containers = [{ ...main, ...any.containerFields }];
    const [canary, production] = base.stages;
    const pool = {
      ...canary?.pools[0],
      autoscaling: { minReplicas: 1, maxReplicas: 3, ...any.autoscaling },
      template: { spec: { containers: [{ name: 'main', ...any.poolContainer }] } },
    };
    return {
      ...base,
      template: {
        ...(odd && { metadata: { labels: any.labels } }),
        spec: { ...base.template.spec, containers, ...any.podFields },
      },
      stages: [{ ...canary, pools: [pool] }, production],
      ...(odd && { service: any.service }),
    } as unknown as AppReleaseSpec;
  });

describe('a spec', () => {
  test(
    'with arbitrary values stops no pass and no rollback',
    () => {
      fc.assert(
        fc.property(hostileSpec, (wrong) => {
          expectToGoBack(world({ release: release(wrong) }));
          pass(world({ release: release(wrong), rollbacks: [] }));
        }),
        RUNS,
      );
    },
    TIME,
  );

  test(
    'with arbitrary values that is recorded stops no pass and no rollback',
    () => {
      fc.assert(
        fc.property(hostileSpec, (wrong) => {
          const seen = world({ release: release(wrong), rollbacks: [] });
          const created = plan(seen, NOW).actions.find((action) => action.kind === 'CreateRevision');
          if (created?.kind !== 'CreateRevision') return;
          const { name, number, data, annotations } = created;
          const recorded = { metadata: meta(name, { annotations }), revision: number, data };
          const rollbacks = [rollback()];
          expectToGoBack({ ...seen, revisions: [...seen.revisions, recorded], rollbacks });
          pass({ ...seen, revisions: [...seen.revisions, recorded] });
        }),
        RUNS,
      );
    },
    TIME,
  );
});

describe('an object that the operator wrote', () => {
  const scribble = fc.oneof(
    json.map((value) => JSON.stringify(value)),
    fc.string(),
    fc.record({ pools: json, approvals: json, attempt: json }).map((facts) => JSON.stringify(facts)),
    fc
      .dictionary(
        fc.constantFrom('a', 'b', 'constructor'),
        some(
          'entered',
          'placed',
          'clock',
          'healthySince',
          'pulling',
          'pulled',
          'gaveBack',
          'good',
          'follows',
          'sized',
          'failed',
          'rolledBack',
        ),
      )
      .map((pools) => JSON.stringify({ pools })),
    fc
      .record({ revision: fc.integer({ min: -1, max: 3 }), key: fc.string(), to: fc.nat(3), good: fc.boolean() })
      .map(({ revision, key, to, good }) => {
        const known = { entered: { at: ago(9), attempt: 1, key }, sized: { from: 1, to } };
        const facts = { ...known, podsOf: { revision, key }, ...(good && { good: ago(8), healthySince: ago(8) }) };
        return JSON.stringify({ pools: { a: facts, b: facts }, approvals: {}, barrier: good });
      }),
  );

  test(
    'may have any annotation overwritten: no pass throws, and the rollback is answered',
    () => {
      fc.assert(
        fc.property(fc.array(scribble, { minLength: 8, maxLength: 8 }), fc.nat(255), (texts, which) => {
          const isHit = (bit: number) => (which & (1 << bit)) !== 0;
          const hit = (bit: number, key: string) => (isHit(bit) ? { [key]: texts[bit] ?? '' } : {});
          function scribbled<Thing extends { metadata: { annotations?: Record<string, string> } }>(
            thing: Thing,
            annotations: Record<string, string>,
          ): Thing {
            return {
              ...thing,
              metadata: { ...thing.metadata, annotations: { ...thing.metadata.annotations, ...annotations } },
            };
          }
          const base = world();
          const seen = world({
            revisions: [
              scribbled(controllerRevision(FIRST), hit(0, ANNOTATION.facts)),
              scribbled(controllerRevision(SECOND), hit(1, ANNOTATION.facts)),
              recordWith({
                ...hit(2, ANNOTATION.ledger),
                ...hit(3, ANNOTATION.topology),
                ...hit(4, ANNOTATION.wanted),
                ...hit(4, ANNOTATION.askedSizes),
              }),
            ],
            deployments: base.deployments.map((one) => scribbled(one, hit(5, ANNOTATION.placement))),
            services: base.services.map((one) =>
              scribbled(one, {
                ...hit(6, ANNOTATION.switchedAt),
                ...hit(6, ANNOTATION.previousTrack),
                ...hit(7, ANNOTATION.revision),
              }),
            ),
          });
          expect(answered(seen).status?.conditions?.find(({ type }) => type === 'Accepted')?.status).toMatch(
            /True|False/,
          );
          pass({ ...seen, rollbacks: [] });
        }),
        RUNS,
      );
    },
    TIME,
  );

  test(
    'may be a record of arbitrary data by somebody else, or have a label of arbitrary text',
    () => {
      fc.assert(
        fc.property(some('renderer', 'input', 'images', 'placements'), json, fc.string(), (data, more, label) => {
          const foreign = {
            metadata: meta('web-3'),
            revision: 3,
            data: { ...data, input: { version: '3', template: more } },
          };
          const base = world();
          const deployments = base.deployments.map((one, index) => {
            const labels = { ...one.metadata.labels, [LABEL.revision]: label };
            return index === 0 ? { ...one, metadata: { ...one.metadata, labels } } : one;
          });
          answered(world({ revisions: [...base.revisions, foreign], deployments }));
          pass(world({ revisions: [...base.revisions, { ...foreign, data }], deployments, rollbacks: [] }));
        }),
        RUNS,
      );
    },
    TIME,
  );
});

describe('a rule that throws', () => {
  test('is reported with the field, and rollbacks go on', () => {
    // The getter throws in place of a rule with a bug.
    const wrong = spec({ version: '3.0.0' });
    const broken = { ...wrong.template.spec.containers[0] };
    Object.defineProperty(broken, 'restartPolicy', {
      enumerable: true,
      get: () => {
        throw new TypeError('cannot read it');
      },
    });
    const template = { spec: { containers: wrong.template.spec.containers, initContainers: [broken] } };
    const seen = world({ release: release({ ...wrong, template } as unknown as AppReleaseSpec) });
    expectToGoBack(seen);
    const { view } = pass(seen);
    expect(releaseStatus(view, {}).conditions).toContainEqual(
      expect.objectContaining({
        type: 'Stalled',
        status: 'True',
        reason: 'InternalError',
        message: expect.stringMatching(
          /^spec.*: the operator fails on the value of the field \(TypeError: cannot read it\)/,
        ) as string,
      }),
    );
  });
});
