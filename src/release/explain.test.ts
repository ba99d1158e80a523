import { expect, it } from 'vitest';
import { explain } from './explain.ts';
import { plan } from './plan.ts';
import { controllerRevision, NOW, observed, release, revision, spec } from './testing.ts';

const wanted = spec({
  stages: [{ name: 'all', approval: 'Manual', pools: [{ name: 'a', replicas: 2, nodeSelector: {} }] }],
});

it('shows the wanted revision, what each pool waits for, and the actions', () => {
  const seen = observed({ release: release(wanted), revisions: [revision(1, wanted)].map(controllerRevision) });
  const told = explain(plan(seen, NOW));
  expect(told.wanted).toBe('1.0.0 (revision 1)');
  expect(told.conditions[0]).toMatch(/^Ready=False \(WaitingForApproval\): /);
  expect(told.pools).toEqual([
    expect.stringMatching(/^all\/a: serves nothing, 0 of 2 pods ready; no target; waits for: .*ReleasePromotion/),
  ]);
});

it('shows a wanted revision that is not recorded yet, and the writes of the plan', () => {
  const told = explain(plan(observed({ release: release(wanted) }), NOW));
  expect(told.wanted).toBe('images whose digests are not known yet');
});
