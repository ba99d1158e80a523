import { expect, test } from 'vitest';
import { LABEL } from '../../api/meta.ts';
import { meta, revision, spec } from '../testing.ts';
import { makeDeployment } from './desired.ts';
import { isRunBy, keptPods, podsNumber, renderedAs, runBy } from './kept-pods.ts';
import type { Revision } from './revision.ts';
import { placementOf, topologyOf } from './revision.ts';

const FIRST = revision(1);
/** The second revision keeps the pods of the first one in pool a. */
const SECOND: Revision = {
  ...revision(2),
  facts: { pools: { a: { podsOf: keptPods(FIRST, 'a') } }, approvals: {} },
};

function deploymentOf(of: Revision, pool: string, key = of.data.placements[pool] ?? '') {
  const topology = topologyOf(spec());
  const [found] = topology.stages.flatMap(({ pools }) => pools).filter(({ name }) => name === pool);
  const placement = found ? placementOf(found) : { nodeSelector: {}, tolerations: [] };
  const identity = { pool, revision: of, placement, strategy: 'BlueGreen' as const, key };
  return makeDeployment({ owner: meta('web'), identity, track: 'track', replicas: 1, topology });
}

test('a revision that keeps pods has the Deployment of the other revision', () => {
  expect(deploymentOf(SECOND, 'a')).toEqual(deploymentOf(FIRST, 'a'));
});

test('it has a Deployment of its own in the other pools', () => {
  const { metadata } = deploymentOf(SECOND, 'b');
  expect([metadata.name, metadata.labels?.[LABEL.revision]]).toEqual(['web-b-2', '2']);
});

test('a third revision keeps the pods of the first one, not of the second', () => {
  expect(keptPods(SECOND, 'a')).toEqual({ revision: 1, key: FIRST.data.placements.a });
  expect(keptPods(SECOND, 'b')).toEqual({ revision: 2, key: FIRST.data.placements.b });
});

test('names depend on the placement that the first revision was recorded with', () => {
  const moved: Revision = { ...SECOND, data: { ...SECOND.data, placements: { a: 'elsewhere' } } };
  expect(deploymentOf(moved, 'a', FIRST.data.placements.a).metadata.name).toBe('web-a-1');
  expect(deploymentOf(moved, 'a', 'elsewhere').metadata.name).toBe('web-a-1-elsew');
});

test('the same object stands for a revision under another number', () => {
  expect(renderedAs(SECOND, 'a')).toBe(renderedAs(SECOND, 'a'));
  expect(renderedAs(FIRST, 'a')).toBe(FIRST);
});

test.each<[pool: string, number: number, run: number[]]>([
  ['a', 1, [1, 2]],
  ['a', 2, []],
  ['b', 1, [1]],
  ['b', 2, [2]],
])('a Deployment in pool %s of revision %i runs %j', (pool, number, run) => {
  const found = runBy([FIRST, SECOND], { pool, revision: number });
  expect(found.map((one) => one.number)).toEqual(run);
  expect(found.every((one) => isRunBy(one, { pool, revision: number }))).toBe(true);
  expect(found.every((one) => podsNumber(one, pool) === number)).toBe(true);
});
