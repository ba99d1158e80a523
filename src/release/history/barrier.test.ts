import { expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { hasBarrier, topologyOf } from '../record/revision.ts';
import type { Facts } from '../record/recorded-data.ts';
import { controllerRevision, ledgerWith, observed, release, revision, rollout, spec } from '../testing.ts';
import { markBarrier } from './barrier.ts';

function withBarrier(barrier: boolean) {
  return spec({ rollback: { barrier } });
}

const NONE: Facts = { pools: {}, approvals: {} };

/** `before`: spec.rollback.barrier in the ledger; `wanted`: the revision that the ledger says was wanted. */
test.each<
  [
    what: string,
    recorded: boolean,
    mark: boolean | undefined,
    before: boolean | undefined,
    wanted: number,
    now: boolean,
    said: boolean | undefined,
  ]
>([
  ['nothing changed', false, undefined, false, 1, false, undefined],
  ['set on what is wanted', false, undefined, false, 1, true, true],
  ['taken away from what is wanted', true, undefined, true, 1, false, false],
  ['taken away again after it was set', false, true, true, 1, false, false],
  ['a crash after the mark was written', false, true, false, 1, true, undefined],
  ['an older version is wanted again without it', true, undefined, false, 2, false, undefined],
  ['an older version is wanted again, in the edit that takes it away', true, undefined, true, 2, false, undefined],
  ['an older version is wanted again with it', false, undefined, false, 2, true, true],
  ['no spec was recorded before', true, undefined, undefined, 1, false, undefined],
])('%s', (_what, recorded, mark, before, wanted, now, said) => {
  const first = revision(1, withBarrier(recorded), { ...NONE, ...(mark !== undefined && { barrier: mark }) });
  const second = revision(2, spec({ version: '2.0.0' }));
  const ledger = ledgerWith({
    ...(before !== undefined && { [ANNOTATION.topology]: JSON.stringify(topologyOf(withBarrier(before))) }),
    [ANNOTATION.wanted]: JSON.stringify({ revision: wanted, newest: 2 }),
  });
  const seen = rollout(
    observed({
      release: release(withBarrier(now)),
      revisions: [...[first, second].map(controllerRevision), ledger],
    }),
  );
  const [action] = markBarrier(seen);
  const facts = action?.kind === 'AnnotateRevision' ? action.annotations[ANNOTATION.facts] : undefined;
  expect(facts && (JSON.parse(facts) as Facts).barrier).toBe(said);
});

test('the mark counts more than what was recorded', () => {
  const marked = (barrier: boolean) => revision(1, withBarrier(!barrier), { ...NONE, barrier });
  expect([hasBarrier(marked(true)), hasBarrier(marked(false)), hasBarrier(revision(1, withBarrier(true)))]).toEqual([
    true,
    false,
    true,
  ]);
});
