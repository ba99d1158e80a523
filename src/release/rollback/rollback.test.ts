import { describe, expect, test } from 'vitest';
import type { AppReleaseSpec } from '../../api/app-release.ts';
import type { ReleasePromotion } from '../../api/release-promotion.ts';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import type { Action } from '../record/actions.ts';
import { findCondition } from '../../api/conditions.ts';
import type { Observed } from '../state/observed.ts';
import type { Plan } from '../plan.ts';
import { plan } from '../plan.ts';
import type { Revision } from '../record/revision.ts';
import type { Facts, PoolFacts } from '../record/recorded-data.ts';
import type { ExposureWords } from '../route/exposure-testing.ts';
import { exposing } from '../route/exposure-testing.ts';
import { unready } from '../status/ready.ts';
import { controllerRevision, meta, NOW, observed, release, revision, spec } from '../testing.ts';

const EARLIER = '2026-01-01T11:30:00Z';
const GOOD: PoolFacts = { good: EARLIER };
const TAKEN_BACK: PoolFacts = { good: EARLIER, rolledBack: { at: EARLIER, by: 'back' } };

const ACCEPTED = {
  type: 'Accepted',
  status: 'True' as const,
  reason: 'Accepted',
  message: 'takes back a 2 → 1, b 2 → 1',
  lastTransitionTime: EARLIER,
};

function template(image: string, more: object = {}, metadata?: object): object {
  const ports = [{ name: 'http', containerPort: 80 }];
  const resources = { requests: { cpu: '10m' } };
  const containers = [{ name: 'main', image, ports, resources, ...more }];
  return { spec: { containers }, ...(metadata && { metadata }) };
}

const ONE = { version: '1.0.0', template: template('web:1.0.0') };
const TWO = { version: '2.0.0', template: template('web:2.0.0') };

/** The digest of an image is made from its name. */
function record(
  number: number,
  wanted: AppReleaseSpec,
  pools: Facts['pools'] = {},
  more: Partial<Facts> = {},
): Revision {
  const made = revision(number, wanted, { pools, approvals: {}, ...more });
  const image = wanted.template.spec.containers[0]?.image ?? '';
  const digest = `sha256:${image}`;
  return { ...made, data: { ...made.data, images: { [image]: { image: `${image}@${digest}`, digest } } } };
}

const old = record(1, spec(ONE), { a: GOOD, b: GOOD });
const held = record(2, spec(TWO), { a: TAKEN_BACK, b: TAKEN_BACK }, { attempt: 2 });

function rollback(more: Partial<ReleaseRollback['spec']> = {}): ReleaseRollback {
  const pools = ['a', 'b'].map((name) => ({ name, from: 2, to: 1, completedAt: EARLIER }));
  return {
    metadata: meta('back'),
    spec: { release: 'web', force: false, reason: 'too many errors', ...more },
    status: { releaseUID: 'uid-web', acceptedAt: EARLIER, sequence: 1, heldAgainst: 2, pools, conditions: [ACCEPTED] },
  };
}

function promotion(more: Partial<ReleasePromotion['spec']>): ReleasePromotion {
  return { metadata: meta('again'), spec: { release: 'web', stage: 'canary', skipSoak: false, ...more } };
}

interface World {
  wanted: AppReleaseSpec;
  revisions: Revision[];
  rollbacks?: ReleaseRollback[];
  promotions?: ReleasePromotion[];
}

function look({ wanted, revisions, ...more }: World): Plan {
  const seen: Partial<Observed> = { release: release(wanted), revisions: revisions.map(controllerRevision), ...more };
  return plan(observed(seen), NOW);
}

/** The notes of the PoolEntered events. */
function entered(actions: readonly Action[]): string[] {
  return actions.flatMap(({ notices = [] }) =>
    notices.filter(({ reason }) => reason === 'PoolEntered').map(({ note }) => note),
  );
}

/** The reason for the end of the hold; undefined if it stays. */
function end(actions: readonly Action[]): string | undefined {
  return actions.flatMap((action) => (action.kind === 'PatchRollback' ? (action.status.endReason ?? []) : [])).at(0);
}

const c = { name: 'c', replicas: 1, nodeSelector: { pool: 'c' }, template: { metadata: { annotations: { a: 'b' } } } };
const { stages } = spec();

/** Edits of the spec while version 2.0.0 is held. */
const EDITS: [what: string, edit: object][] = [
  [
    'a Service port',
    {
      service: {
        ports: [
          { port: 80, targetPort: 'http' },
          { name: 'admin', port: 81 },
        ],
      },
    },
  ],
  [
    'a pool with a template',
    { stages: stages.map((stage, index) => (index === 1 ? { ...stage, pools: [...stage.pools, c] } : stage)) },
  ],
  ['a pool with a template in a first stage', { stages: [{ name: 'first', pools: [c] }, ...stages] }],
  ['an annotation', { template: template('web:2.0.0', {}, { annotations: { 'example.com/edited': 'yes' } }) }],
  ['cpu: 0.01', { template: template('web:2.0.0', { resources: { requests: { cpu: 0.01 } } }) }],
  ['a barrier', { rollback: { barrier: true } }],
  ['another image', { template: template('web:2.0.0-fixed') }],
  ['another version alone', { version: '2.0.1' }],
];

describe('a hold against version 2.0.0, when somebody edits', () => {
  describe.each(EDITS)('%s', (_what, edit) => {
    const wanted = spec({ ...TWO, ...edit });
    const revisions = [old, held, record(3, wanted)];

    test('stays, and names the revision that it holds back', () => {
      const { actions, view } = look({ wanted, revisions, rollbacks: [rollback()] });
      expect(view.wanted).toMatchObject({ state: 'Recorded', revision: { number: 3 } });
      expect(end(actions)).toBeUndefined();
      expect(entered(actions)).toEqual([]);
      expect(unready(view)).toEqual({
        reason: 'RolledBack',
        message: `wants ${wanted.version ?? ''}, runs 1.0.0 by back: too many errors`,
      });
      const followed = actions.find(({ kind }) => kind === 'PatchRollback') as Action & { kind: 'PatchRollback' };
      expect(findCondition(followed.status.conditions, 'InForce')?.message).toBe(
        `holds back revision 3 (${wanted.version ?? ''}) with the ${wanted.version === '2.0.0' ? 'version' : 'images'} of revision 2, ` +
          'until the spec wants another version with other images or a ReleasePromotion names the revision',
      );
    });

    test('stays while the wanted revision is not recorded', () => {
      const { actions } = look({ wanted, revisions: [old, held], rollbacks: [rollback()] });
      expect(end(actions)).toBeUndefined();
    });

    test('makes a promotion wait that does not name the later revision', () => {
      const { actions } = look({ wanted, revisions, rollbacks: [rollback()], promotions: [promotion({})] });
      expect(end(actions)).toBeUndefined();
      const answer = actions.find(({ kind }) => kind === 'PatchPromotion') as Action & { kind: 'PatchPromotion' };
      expect(findCondition(answer.status.conditions, 'Accepted')).toMatchObject({
        status: 'Unknown',
        reason: 'HeldByRollback',
        message:
          'rollback back blocks revision 3: create a ReleasePromotion that names its version or revision to retry',
      });
    });

    test('rejects a promotion that names the revision that is no longer wanted', () => {
      const promotions = [promotion({ revision: 2 })];
      const { actions } = look({ wanted, revisions, rollbacks: [rollback()], promotions });
      expect(end(actions)).toBeUndefined();
      const answer = actions.find(({ kind }) => kind === 'PatchPromotion') as Action & { kind: 'PatchPromotion' };
      expect(findCondition(answer.status.conditions, 'Accepted')).toMatchObject({ reason: 'Superseded' });
    });

    test.each([{ version: wanted.version ?? '' }, { revision: 3 }])('ends by the retry: %j', (name) => {
      const { actions } = look({ wanted, revisions, rollbacks: [rollback()], promotions: [promotion(name)] });
      expect(end(actions)).toBe('ReleasePromotion again names the held revision 3: retry');
      expect(entered(actions)).toEqual([]);
    });

    test('lets each stage wait for an approval after its deletion, with the reason', () => {
      const { actions, view } = look({ wanted, revisions });
      expect(entered(actions)).toEqual([]);
      if (view.kind === 'Unknown') throw new Error('the spec is valid');
      const [first] = view.topology.stages;
      const shares = wanted.version === '2.0.0' ? 'version' : 'images';
      expect(first && view.gate(first)).toEqual({
        reason: 'WaitingForApproval',
        message:
          `a ReleasePromotion must admit version ${wanted.version ?? ''} (revision 3) to stage ${first?.name ?? ''} ` +
          `(revision 2 (2.0.0), which has the same ${shares}, was rolled back by rollback back)`,
      });
    });
  });

  test('version and image: ends', () => {
    const wanted = spec({ version: '2.0.1', template: template('web:2.0.1') });
    const { actions } = look({ wanted, revisions: [old, held, record(3, wanted)], rollbacks: [rollback()] });
    expect(end(actions)).toBe('revision 3 (2.0.1) is wanted now');
  });

  test('all of the spec back to the served revision: ends', () => {
    const { actions } = look({ wanted: spec(ONE), revisions: [old, held], rollbacks: [rollback()] });
    expect(end(actions)).toBe('revision 1 (1.0.0) is wanted now');
  });

  test.each([
    ['with a template', { template: { metadata: { annotations: { a: 'b' } } } }],
    ['without a template', {}],
  ])('the pools before it ran anywhere: keeps it out of the new pool too, %s', (_what, more) => {
    const pools = [{ name: 'c', replicas: 1, nodeSelector: { pool: 'c' }, ...more }];
    const wanted = spec({ ...TWO, stages: [{ name: 'first', pools }, ...stages] });
    const revisions = [old, record(2, spec(TWO)), ...('template' in more ? [record(3, wanted)] : [])];
    const { actions } = look({ wanted, revisions, rollbacks: [rollback()] });
    expect([end(actions), ...entered(actions)]).toEqual([undefined]);
    expect(entered(look({ wanted, revisions, rollbacks: [rollback({ pools: ['a', 'b'] })] }).actions)).toHaveLength(1);
  });
});

test('a later revision of a version that failed waits for an approval', () => {
  const wanted = spec({ ...TWO, template: template('web:2.0.0', { args: ['-v'] }) });
  const failed = { at: EARLIER, attempt: 1, reason: 'CrashLoop', message: 'crashes' };
  const bad = record(2, spec(TWO), { a: { entered: { at: EARLIER, attempt: 1, key: 'k' }, failed } });
  const { actions, view } = look({ wanted, revisions: [old, bad, record(3, wanted)] });
  expect(entered(actions)).toEqual([]);
  expect(unready(view)?.message).toMatch(
    /stage canary \(revision 2 \(2\.0\.0\), which has the same version, failed in pool a\)$/,
  );
});

/** A rollback whose status an older operator wrote. */
function earlier(...given: [type: string, status: 'True' | 'False', reason: string][]): ReleaseRollback {
  const { metadata, spec: asked, status } = rollback();
  const conditions = given.map(([type, is, reason]) => ({
    type,
    status: is,
    reason,
    message: `it is ${reason}`,
    lastTransitionTime: EARLIER,
  }));
  return { metadata: { ...metadata, generation: 1 }, spec: asked, status: { ...status, conditions } };
}

const REJECTED = earlier(['Accepted', 'False', 'NoTarget'], ['Complete', 'False', 'Rejected']);
const ENDED = earlier(
  ['Accepted', 'True', 'Accepted'],
  ['Complete', 'True', 'Complete'],
  ['InForce', 'False', 'Ended'],
);

test.each<[what: string, answered: ReleaseRollback, reads: string]>([
  [
    'that was rejected needs a person',
    { ...REJECTED, status: { conditions: REJECTED.status?.conditions } },
    'Stalled NoTarget: it is NoTarget',
  ],
  [
    'that has ended is done',
    { ...ENDED, status: { ...ENDED.status, endedAt: EARLIER, endReason: 'it is Ended' } },
    'Ready Complete: a, b serve their targets',
  ],
])('the answer of an older operator to a rollback %s, and stays as it is', (_what, answered, reads) => {
  const world = { wanted: spec(ONE), revisions: [old, held] };
  const { actions } = look({ ...world, rollbacks: [answered] });
  const [action] = actions.filter(({ kind }) => kind === 'PatchRollback');
  const status = action?.kind === 'PatchRollback' ? action.status : {};
  const added = ['Ready', 'Reconciling', 'Stalled'].map((type) => findCondition(status.conditions, type));
  const [is] = added.filter((condition) => condition?.status === 'True');
  expect(`${is?.type ?? ''} ${is?.reason ?? ''}: ${is?.message ?? ''}`).toBe(reads);
  const kept = status.conditions?.filter((condition) => !added.includes(condition));
  const facts = (conditions = answered.status?.conditions) =>
    conditions?.map(({ type, status: told, reason }) => [type, told, reason]).toSorted();
  expect(facts(kept)).toEqual(facts());
  expect({ ...status, conditions: [] }).toEqual({ ...answered.status, conditions: [], observedGeneration: 1 });
  expect(look({ ...world, rollbacks: [{ ...answered, status }] }).actions).not.toContainEqual(
    expect.objectContaining({ kind: 'PatchRollback' }),
  );
});

test.each<[what: string, words: ExposureWords, isComplete: boolean]>([
  ['is not complete while the second Service leads to the version that it leaves', {}, false],
  ['is complete once both Services lead to the target', { next: 1 }, true],
])('a rollback in the middle of an exposure %s', (_what, words, isComplete) => {
  const revisions = {
    1: { in: { a: { entered: 60, healthySince: 59, good: 58 }, b: { entered: 60, good: 58 } } },
    2: { in: { a: { rolledBack: 5 } } },
  };
  const { actions } = plan(exposing({ ...words, words: { revisions, rollback: { against: 2, to: { a: 1 } } } }), NOW);
  const completed = actions.flatMap((one) => (one.kind === 'PatchRollback' ? (one.status.pools ?? []) : []));
  expect(completed.some(({ completedAt }) => completedAt !== undefined)).toBe(isComplete);
});
