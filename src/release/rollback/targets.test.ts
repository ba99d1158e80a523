import { expect, test } from 'vitest';
import type { ReleaseRollback } from '../../api/release-rollback.ts';
import { findCondition } from '../../api/conditions.ts';
import { meta } from '../testing.ts';
import type { FactWords, Words } from '../world-testing.ts';
import { GOOD, viewOf } from '../world-testing.ts';
import { answerRollbacks } from './rollback.ts';

const BOTH = { a: GOOD, b: GOOD };
/** Versions 1.0.0 and 2.0.0 were good in both pools, which serve 2.0.0. */
const TWO: Words = { pools: { a: { serves: 2 }, b: { serves: 2 } }, revisions: { 1: { in: BOTH }, 2: { in: BOTH } } };
const FIRST_SERVES: Words['pools'] = { a: { serves: 1 }, b: { serves: 1 } };
const BACK: FactWords = { ...GOOD, rolledBack: 5 };
const FROM_TWO = 'Revisions to choose from: 1.0.0 (revision 1), 2.0.0 (revision 2)';
const FIRST: Words = { revisions: { 1: { in: BOTH } }, wants: 1 };
/** Revision 3 keeps the pods of revision 2. */
const KEPT = { a: { ...GOOD, keeps: 2 }, b: { ...GOOD, keeps: 2 } };
/** The same in pool b, but pool a has another template. */
const OVERRIDDEN: Words = {
  pools: { a: { serves: 3 }, b: { serves: 3 } },
  revisions: {
    1: { in: BOTH },
    2: { in: BOTH },
    3: {
      in: { a: GOOD, b: { ...GOOD, keeps: 2 } },
      version: '2.0.0',
      imagesOf: 2,
      spec: {
        stages: ['a', 'b'].map((name) => ({
          name: name === 'a' ? 'canary' : 'production',
          pools: [
            {
              name,
              replicas: 2,
              nodeSelector: { pool: name },
              ...(name === 'a' && { template: { metadata: { labels: { tier: 'edge' } } } }),
            },
          ],
        })),
      },
    },
  },
};
const BARRIER: Words = {
  ...TWO,
  revisions: { 1: { in: BOTH }, 2: { in: BOTH, spec: { rollback: { barrier: true } } } },
};
/** A route leads to a port that version 1.0.0 has at another number. */
const REROUTED: Words = {
  ...TWO,
  revisions: { 1: { in: BOTH, spec: { service: { ports: [{ port: 81 }] } } }, 2: { in: BOTH } },
  spec: { route: { parentRefs: [{ name: 'public' }] } },
};
const shared = { spec: { serviceName: 'web' } };
const THREE = { ...BOTH, c: GOOD };
const SHARED: Words = {
  stages: { production: { pools: ['b', 'c'] } },
  pools: { a: { serves: 2 }, b: { serves: 2, ...shared }, c: { serves: 2, ...shared } },
  revisions: { 1: { in: THREE }, 2: { in: THREE } },
};

/** `said`: from → to of each pool, or the reason and the message of the rejection. */
test.each<[what: string, words: Words, spec: Partial<ReleaseRollback['spec']>, said: string]>([
  ['is the version before', TWO, {}, 'a 2 → 1, b 2 → 1'],
  ['is in the named pools alone', TWO, { pools: ['b'] }, 'b 2 → 1'],
  [
    'of an unknown version is rejected, with the possible ones',
    TWO,
    { toVersion: '9.9.0' },
    'NoTarget: version 9.9.0 was never recorded. Revisions to choose from: 1.0.0 (revision 1), 2.0.0 (revision 2)',
  ],
  [
    'of an unknown revision is rejected',
    TWO,
    { toRevision: 9 },
    'NoTarget: revision 9 was never recorded. Revisions to choose from: 1.0.0 (revision 1), 2.0.0 (revision 2)',
  ],
  [
    'in an unknown pool is rejected, with the known ones',
    TWO,
    { pools: ['x'] },
    'UnknownPool: spec.pools: the release has no pool x: it has a, b',
  ],
  [
    'does not exist before the first version',
    FIRST,
    {},
    'NoTarget: pool a has no good revision to return to. Revisions to choose from: 1.0.0 (revision 1)',
  ],
  [
    'must have been good in the pool',
    { revisions: { 1: { in: BOTH }, 2: { in: { a: { entered: 5, failed: 1 } } } } },
    { toVersion: '2.0.0' },
    'NoTarget: version 2.0.0 (revision 2) was never good in pool a. Revisions to choose from: 1.0.0 (revision 1)',
  ],
  [
    'by version is the newest revision of the version that is good in the pool',
    {
      pools: { a: { serves: 3 }, b: { serves: 3 } },
      revisions: { 1: { in: BOTH }, 2: { in: { a: GOOD }, version: '1.0.0' }, 3: { in: BOTH } },
    },
    { toVersion: '1.0.0' },
    'a 3 → 2, b 3 → 1',
  ],
  [
    'is the last good revision of each pool, and a pool without one stays',
    { ...TWO, revisions: { 1: { in: { a: GOOD } }, 2: { in: BOTH } } },
    {},
    'a 2 → 1, b 2 → 2 (pool b has no good revision to return to)',
  ],
  ['by revision is that revision', TWO, { toRevision: 1 }, 'a 2 → 1, b 2 → 1'],
  ['by version is that version', TWO, { toVersion: '1.0.0' }, 'a 2 → 1, b 2 → 1'],
  [
    'may be missing in one pool, which stays',
    { ...TWO, revisions: { 1: { in: { a: GOOD } }, 2: { in: BOTH } } },
    { toVersion: '1.0.0' },
    'a 2 → 1, b 2 → 2 (version 1.0.0 (revision 1) was never good in pool b)',
  ],
  [
    'may run in one pool already, so that the hold includes it',
    { ...TWO, pools: { a: { serves: 2 }, b: { serves: 1 } } },
    { toVersion: '1.0.0' },
    'a 2 → 1, b 1 → 1',
  ],
  [
    'must not run in every pool already',
    TWO,
    { toVersion: '2.0.0' },
    `NoTarget: pool a runs revision 2 (2.0.0) already. ${FROM_TWO}`,
  ],
  [
    'that was never good is rejected, with all revisions of the version',
    { ...TWO, revisions: { ...TWO.revisions, 3: { version: '1.5.0' }, 4: { version: '1.5.0' } } },
    { toVersion: '1.5.0' },
    `NoTarget: version 1.5.0 (revision 3, 4) was never good in pool a. ${FROM_TWO}`,
  ],
  [
    'that was taken back and is wanted is rejected, with the way forward',
    { pools: FIRST_SERVES, revisions: { 1: { in: BOTH }, 2: { in: { a: BACK, b: BACK } } } },
    { toRevision: 2, pools: ['a'] },
    `NoTarget: revision 2 failed or was rolled back in pool a: create a ReleasePromotion to promote revision 2 (2.0.0). ${FROM_TWO}`,
  ],
  [
    'that is marked bad in one of the named pools is rejected',
    {
      pools: { a: { serves: 3 }, b: { serves: 3 } },
      revisions: { 1: { in: BOTH }, 2: { in: { a: GOOD, b: BACK } }, 3: {} },
    },
    { toRevision: 2 },
    `NoTarget: revision 2 failed or was rolled back in pool b: set spec.version to 2.0.0 to release it again. ${FROM_TWO}`,
  ],
  [
    'that is newer than what serves is rejected, also in a named pool',
    { ...TWO, pools: FIRST_SERVES, wants: 1 },
    { toRevision: 2, pools: ['a'] },
    `NoTarget: pool a runs revision 1, which is older: set spec.version to 2.0.0 to release it again. ${FROM_TWO}`,
  ],
  [
    'is rejected if only a newer revision was good',
    { ...TWO, pools: FIRST_SERVES, wants: 1 },
    {},
    `NoTarget: pool a runs revision 1, which is older: set spec.version to 2.0.0 to release it again. ${FROM_TWO}`,
  ],
  [
    'passes over a revision that differs in nothing',
    {
      pools: { a: { serves: 3 }, b: { serves: 3 } },
      revisions: { 1: { in: BOTH }, 2: { in: BOTH }, 3: { in: KEPT, version: '2.0.0', imagesOf: 2 } },
    },
    {},
    'a 3 → 1, b 3 → 1',
  ],
  ['takes an override of one pool back in all pools', OVERRIDDEN, {}, 'a 3 → 2, b 3 → 2'],
  ['of a pool in which the edit changed nothing is the version before', OVERRIDDEN, { pools: ['b'] }, 'b 3 → 1'],
  [
    'takes a changed port back',
    {
      pools: { a: { serves: 3 }, b: { serves: 3 } },
      revisions: {
        1: { in: BOTH },
        2: { in: BOTH },
        3: {
          in: KEPT,
          version: '2.0.0',
          imagesOf: 2,
          spec: { service: { ports: [{ port: 81, targetPort: 'http' }] } },
        },
      },
    },
    {},
    'a 3 → 2, b 3 → 2',
  ],
  [
    'is not behind a barrier',
    BARRIER,
    {},
    'NoTarget: version 2.0.0 is a barrier: pool a rolls back behind it only with spec.force: true. Revisions to choose from: 1.0.0 (revision 1), 2.0.0 (revision 2)',
  ],
  ['is behind a barrier with force', BARRIER, { force: true }, 'a 2 → 1, b 2 → 1'],
  [
    'has the port of the route at its number',
    REROUTED,
    {},
    'NoTarget: the route leads to port 80 at 80, and revision 1 has it at 81: pool a rolls back to it only with spec.force: true, and requests fail until the gateway follows. Revisions to choose from: 1.0.0 (revision 1), 2.0.0 (revision 2)',
  ],
  ['has another port with force', REROUTED, { force: true }, 'a 2 → 1, b 2 → 1'],
  [
    'in one of two pools behind a Service is rejected',
    SHARED,
    { pools: ['b'] },
    'SharedService: spec.pools: b, c share Service web and roll back together: name all of them',
  ],
])('the target of a rollback %s', (_what, words, spec, said) => {
  const rollback: ReleaseRollback = { metadata: meta('back'), spec: { release: 'web', force: false, ...spec } };
  expect(describeAnswer({ ...words, more: { rollbacks: [rollback] } })).toBe(said);
});

function describeAnswer(words: Words): string | undefined {
  const [action] = answerRollbacks(viewOf(words));
  if (action?.kind !== 'PatchRollback') return action?.kind;
  const { conditions, pools = [] } = action.status;
  const accepted = findCondition(conditions, 'Accepted');
  if (accepted?.status !== 'True') return `${accepted?.reason ?? ''}: ${accepted?.message ?? ''}`;
  return pools
    .map(({ name, from, to, message }) => `${name} ${from ?? '-'} → ${to ?? '-'}${message ? ` (${message})` : ''}`)
    .join(', ');
}
