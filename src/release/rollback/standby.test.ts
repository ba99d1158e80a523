import { expect, test } from 'vitest';
import { ANNOTATION } from '../../api/meta.ts';
import { ago, rollout } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { rollbackReadiness } from './readiness.ts';

interface Case {
  words?: Words;
  /** When the Service of pool a was switched, in minutes before NOW. Default 5. */
  switched?: number;
  /** The track that the switch left. Default: that of revision 1. */
  from?: string;
}

/** Pool a serves revision 2, and `standing` pods of revision 1 are ready; undefined: its Deployment is gone. */
function serving(standing: number | undefined, more: Words = {}): Words {
  return {
    pools: { a: { serves: 2, ...(standing !== undefined && { beside: { 1: standing } }) } },
    revisions: { 2: { in: { a: { entered: 6, healthySince: 5, good: 4 } } } },
    ...more,
  };
}

function standbyOf({ words = serving(2), switched = 5, from = 'web-a-1' }: Case) {
  const base = world(words);
  const notes = { [ANNOTATION.switchedAt]: ago(switched), [ANNOTATION.previousTrack]: from };
  const services = base.services.map((service) => ({
    ...service,
    metadata: { ...service.metadata, annotations: { ...service.metadata.annotations, ...notes } },
  }));
  const seen = rollout({ ...base, services });
  const [pool] = seen.pools;
  return pool && rollbackReadiness(seen, pool)?.standby;
}

test.each<[what: string, one: Case, standby: { replicas: number; readyReplicas: number } | undefined]>([
  ['it stands', {}, { replicas: 2, readyReplicas: 2 }],
  ['a pod of it is not ready', { words: serving(1) }, { replicas: 2, readyReplicas: 1 }],
  ['its Deployment is gone', { words: serving(undefined) }, { replicas: 2, readyReplicas: 0 }],
  [
    'fewer pods are wanted',
    { words: serving(1, { spec: { rollback: { warmReplicas: 1 } } }) },
    { replicas: 1, readyReplicas: 1 },
  ],
  ['its time is over', { switched: 31 }, undefined],
  ['none is wanted', { words: serving(undefined, { spec: { rollback: { warmFor: '0s' } } }) }, undefined],
  ['the switch left another version', { words: serving(undefined), from: 'web-a-3' }, undefined],
  ['no version was good before', { words: serving(2, { revisions: { 1: {}, 2: { in: { a: GOOD } } } }) }, undefined],
  [
    'the next version is on its way',
    { words: serving(2, { revisions: { 3: { in: { a: { entered: 1 } } } } }) },
    undefined,
  ],
])('the standby that is wanted: %s', (_what, one, standby) => {
  expect(standbyOf(one)).toEqual(standby);
});
