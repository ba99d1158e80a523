// A missing record never switches a Service away from the Deployment that it selects.
import { describe, expect, test } from 'vitest';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Observed } from '../state/observed.ts';
import { plan } from '../plan.ts';
import { makeDeployment, makeService } from '../record/desired.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts } from '../record/recorded-data.ts';
import { placementKeys, placementOf, topologyOf } from '../record/revision.ts';
import { stalled } from '../status/ready.ts';
import { releaseStatus } from '../status/status.ts';
import {
  controllerRevision,
  knowing,
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

const stages = [{ name: 'production', pools: [{ name: 'a', replicas: 1, nodeSelector: { pool: 'a' } }] }];
const [first, second, third] = ['1.0.0', '2.0.0', '3.0.0'].map((version) => spec({ stages, version })) as [
  ReturnType<typeof spec>,
  ReturnType<typeof spec>,
  ReturnType<typeof spec>,
];
const owner = meta('web');
const topology = topologyOf(second);
const key = placementKeys(topology, 'web', 'BlueGreen').get('a') ?? '';

function facts(at: string): Facts {
  return { pools: { a: { entered: { at, attempt: 1, key }, good: at, healthySince: at } }, approvals: {} };
}

const old = revision(1, first, facts('2026-01-01T10:00:00Z'));
const served = revision(2, second, facts('2026-01-01T11:00:00Z'));

function running(of: Revision) {
  const placement = placementOf({ name: 'a', replicas: 1, nodeSelector: { pool: 'a' } });
  const identity = { pool: 'a', revision: of, placement, strategy: 'BlueGreen' as const, key };
  return live(makeDeployment({ owner, identity, track: `web-a-${of.number}`, replicas: 1, topology }), 1);
}

/** A Deployment with an image that is not pinned. */
function byTag(deployment: ReturnType<typeof running>) {
  for (const container of deployment.spec.template.spec.containers) container.image = 'web:2.0.0';
  return deployment;
}

function serviceOf(of: Revision) {
  const template = second.service ?? { ports: [], type: 'ClusterIP' as const };
  const options = { owner, name: 'web-a', pools: ['a'], track: `web-a-${of.number}`, revision: of, template };
  return liveService(makeService({ ...options, byTrackAlone: false, annotations: {} }));
}

/** Version 2.0.0 serves without a record, version 1.0.0 is the standby. `lost`: the record was looked for. */
function world(lost: readonly string[], more: Partial<Observed> = {}): Observed {
  const deployments = [running(old), running(served)];
  const digests = Object.fromEntries(
    ['web:1.0.0', 'web:2.0.0'].map((image) => {
      const digest = `sha256:${'a'.repeat(64)}`;
      return [image, { state: 'resolved' as const, image: `${image}@${digest}`, digest }];
    }),
  );
  return observed({
    release: release(second),
    revisions: [controllerRevision(old)],
    deployments,
    services: [serviceOf(served)],
    pods: deployments.flatMap((deployment) => podsFor(deployment, 1)),
    lookUpDigest: knowing(digests),
    memory: { ...observed().memory, lost: new Set(lost) },
    ...more,
  });
}

function kinds(seen: Observed): string[] {
  return plan(seen, NOW).actions.map(({ kind }) => kind);
}

const GONE = ['ControllerRevision/web-2'];
const TOUCHES = /^(ApplyService|ApplyDeployment|Delete|CreateRevision|DryRun)/;

describe('a served revision without a record', () => {
  test('is looked for before all other actions', () => {
    expect(plan(world([]), NOW).actions).toMatchObject([
      { kind: 'FindLost', object: 'ControllerRevision', name: 'web-2' },
    ]);
  });

  test('is looked for if only its Service is seen, because another leader has recorded it', () => {
    const seen = world([], { revisions: [], deployments: [], pods: [] });
    expect(plan(seen, NOW).actions).toMatchObject([{ kind: 'FindLost', name: 'web-2' }]);
  });

  test('is not looked for if a newer one is recorded and nothing runs it', () => {
    const seen = world([], { revisions: [controllerRevision(revision(3, third))], deployments: [], pods: [] });
    expect(kinds(seen)).not.toContain('FindLost');
  });

  test('is kept if its record is gone and cannot be rebuilt, with the reason RecordLost', () => {
    const seen = world(GONE, { deployments: [running(old), byTag(running(served))] });
    expect(kinds(seen).filter((kind) => TOUCHES.test(kind))).toEqual([]);
    expect(stalled(plan(seen, NOW).view)).toMatchObject({
      reason: 'RecordLost',
      message: expect.stringMatching(
        /pool a serves version 2.0.0 \(revision 2\).*web-2.*spec.version.*1\.0\.0$/,
      ) as string,
    });
    expect(releaseStatus(plan(seen, NOW).view, {}).pools).toMatchObject([{ name: 'a', version: '2.0.0', revision: 2 }]);
  });

  test('is not assumed if only its label was overwritten', () => {
    const [, deployment] = world([]).deployments;
    const labels = { ...deployment?.metadata.labels, [LABEL.revision]: '99' };
    const scribbled = deployment && { ...deployment, metadata: { ...deployment.metadata, labels } };
    const seen = world(['ControllerRevision/web-99'], {
      revisions: [old, served].map(controllerRevision),
      deployments: scribbled ? [scribbled] : [],
    });
    expect(plan(seen, NOW).view.pools[0]).not.toHaveProperty('lost');
  });

  test('is replaced by another version, which gets a new number', () => {
    const digest = `sha256:${'b'.repeat(64)}`;
    const digests = { 'web:1.0.0': { state: 'resolved' as const, image: `web:1.0.0@${digest}`, digest } };
    const dry = plan(world(GONE, { release: release(third), lookUpDigest: knowing(digests) }), NOW).actions;
    expect(dry.find(({ kind }) => kind === 'DryRun')).toMatchObject({
      deployment: { metadata: { labels: { [LABEL.revision]: '3' } } },
    });
    const recorded = world(GONE, {
      release: release(third),
      revisions: [old, revision(3, third, facts('2026-01-01T11:50:00Z'))].map(controllerRevision),
      deployments: [running(served)],
      pods: podsFor(running(served), 1),
    });
    expect(kinds(recorded)).toContain('ApplyDeployment');
    expect(stalled(plan(recorded, NOW).view)).toBeUndefined();
  });

  test('is replaced by a rollback, which holds its version back', () => {
    const back: ReleaseRollback = { metadata: meta('back'), spec: { release: 'web', force: false } };
    const [answer] = plan(world(GONE, { rollbacks: [back] }), NOW).actions;
    expect(answer).toMatchObject({
      kind: 'PatchRollback',
      status: { heldAgainst: 2, heldVersion: '2.0.0', pools: [{ name: 'a', from: 2, to: 1 }] },
    });
    const status = (answer as { status: ReleaseRollback['status'] }).status;
    const held = world(GONE, { rollbacks: [{ ...back, ...(status && { status }) }] });
    expect(plan(held, NOW).actions.find(({ kind }) => kind === 'ApplyService')).toMatchObject({
      desired: { metadata: { annotations: { [ANNOTATION.revision]: '1' } } },
    });
    const after = world([], {
      rollbacks: held.rollbacks,
      deployments: [running(old)],
      services: [serviceOf(old)],
      pods: podsFor(running(old), 1),
    });
    expect(kinds(after)).not.toContain('CreateRevision');
    expect(kinds(after)).not.toContain('DryRun');
  });
});

describe('records or Deployments that somebody deleted', () => {
  const all = ['ControllerRevision/web-1', ...GONE, 'Deployment/web-a-2'];
  const only = (of: Revision) => ({ deployments: [running(of)], pods: podsFor(running(of), 1) });
  const records = [old, served].map(controllerRevision);

  function written(more: Partial<Observed>): string[] {
    return kinds(world(all, more)).filter((kind) => TOUCHES.test(kind));
  }

  test('with all records gone, that of what serves is rebuilt, and nothing is written to Deployments and Services', () => {
    expect(written({ revisions: [] })).toEqual(['CreateRevision']);
    expect(written({ revisions: [], ...only(served) })).toEqual(['CreateRevision']);
  });

  // Without Deployment and record nothing serves any more: the ready pods of the version before are better than none, until the
  // wanted version is recorded and started again.
  test.each<[what: string, more: Partial<Observed>, written: string[]]>([
    ['the latter is created again', { revisions: records }, ['ApplyDeployment']],
    ['the standby takes the traffic if the record is gone too', {}, ['DryRun', 'ApplyService']],
    ['with all records gone, no traffic moves', { revisions: [] }, ['DryRun']],
  ])('the standby stays when the serving Deployment is deleted: %s', (_what, more, expected) => {
    expect(written({ ...only(old), ...more })).toEqual(expected);
  });
});

test('a Deployment that only the labels of pods name is looked for', () => {
  const seen = world([], { revisions: [old, served].map(controllerRevision), deployments: [running(old)] });
  expect(plan(seen, NOW).actions).toMatchObject([{ kind: 'FindLost', object: 'Deployment', name: 'web-a-2' }]);
});
