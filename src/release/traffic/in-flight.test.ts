import { describe, expect, test } from 'vitest';
import { makeDeployment } from '../record/desired.ts';
import type { Action, Target } from '../record/actions.ts';
import { targetOf } from '../record/actions.ts';
import { placementOf, topologyOf } from '../record/revision.ts';
import { live, meta, revision, spec } from '../testing.ts';
import { besideInFlight, stopsPodsOf } from './in-flight.ts';

const first = revision(1, spec());

function desired(pool: string, replicas: number | undefined) {
  const placement = placementOf({ name: pool, replicas: 1, nodeSelector: { pool } });
  const identity = { pool, revision: first, placement, strategy: 'BlueGreen' as const, key: '' };
  return makeDeployment({
    owner: meta('web'),
    identity,
    track: `web-${pool}-1`,
    replicas,
    topology: topologyOf(spec()),
  });
}

/** The Deployments of pools a and b have 3 replicas each. */
const deployments = ['a', 'b'].map((pool) => live(desired(pool, 3), 3));
const [a, b] = deployments.map((deployment) => targetOf(deployment)) as [Target, Target];

function scale(pool: string, replicas: number | undefined): Action {
  return { kind: 'ApplyDeployment', message: '', desired: desired(pool, replicas), force: true };
}

function remove(target: Target): Action {
  return { kind: 'DeleteDeployment', message: '', target };
}

const service = { apiVersion: 'v1', kind: 'Service' as const, metadata: meta('web-a'), spec: { selector: {} } };
const toA = { kind: 'ApplyService', message: '', desired: service, force: true, leadsTo: [a] } as unknown as Action;
const keep = { kind: 'ApplyService', message: '', desired: service, force: true } as unknown as Action;
const accept: Action = { kind: 'PatchRollback', message: '', target: targetOf(meta('back')), status: {} };

describe('a write in flight stops the pods of a target', () => {
  test.each<[what: string, inFlight: Action, action: Action, stops: boolean]>([
    ['if it deletes the Deployment', remove(a), toA, true],
    ['if it scales the Deployment down', scale('a', 2), toA, true],
    ['but not if it deletes another Deployment', remove(b), toA, false],
    ['but not if it scales another Deployment down', scale('b', 2), toA, false],
    ['but not if it scales the Deployment up', scale('a', 4), toA, false],
    ['but not if it keeps the scale', scale('a', 3), toA, false],
    ['but not if it leaves the scale to another manager', scale('a', undefined), toA, false],
    ['but not if the action leads no traffic to it', remove(a), keep, false],
    ['but not if the action stores the targets of a rollback', remove(a), accept, false],
  ])('%s', (_what, inFlight, action, stops) => {
    expect(stopsPodsOf(inFlight, action, deployments)).toBe(stops);
  });
});

describe('beside writes in flight', () => {
  const facts: Action = { kind: 'AnnotateRevision', message: '', target: targetOf(meta('web-1')), annotations: {} };
  const find: Action = { kind: 'FindLost', message: '', object: 'Deployment', name: 'web-a-1' };

  test('records are written, and no workload', () => {
    expect(besideInFlight([scale('a', 4), remove(b), facts, accept], false, [remove(a)])).toEqual([facts, accept]);
  });

  test('an object is not written again before its write has landed', () => {
    expect(besideInFlight([facts, accept], false, [facts])).toEqual([accept]);
  });

  test('what is stored before any other decision does not wait', () => {
    expect(besideInFlight([find], true, [remove(a)])).toEqual([find]);
  });
});
