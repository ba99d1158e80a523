import { expect, test } from 'vitest';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import type { Service } from '../record/kube-objects.ts';
import type { Observed } from '../state/observed.ts';
import { meta, rollout } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';

type Change = (seen: Observed) => Partial<Observed>;

/** What pool a serves, and whether its Service selects that. */
function servedIn(words: Words, change: Change): object {
  const base = world(words);
  const { pools } = rollout({ ...base, ...change(base) });
  const { current, served, lost, selected } = pools.find(({ name }) => name === 'a') ?? {};
  return { pods: current?.revision, revision: served?.number, lost: lost?.number, selected };
}

/** Changes the Service of pool a. */
function service(edit: (one: Service) => Partial<Service>): Change {
  return ({ services }) => ({
    services: services.map((one) => (one.metadata.name === 'web-a' ? { ...one, ...edit(one) } : one)),
  });
}

const leadsTo = (track: string) => service(({ spec }) => ({ spec: { ...spec, selector: { [LABEL.track]: track } } }));
const leadsNowhere = service(({ spec }) => ({ spec: { ...spec, selector: { app: 'other' } } }));
const notes = (number: string | undefined, then: Change): Change => {
  const noted = service(({ metadata }) => {
    const { [ANNOTATION.revision]: _noted, ...others } = metadata.annotations ?? {};
    return {
      metadata: {
        ...metadata,
        annotations: { ...others, ...(number !== undefined && { [ANNOTATION.revision]: number }) },
      },
    };
  });
  return (seen) => then({ ...seen, ...noted(seen) });
};
const noService: Change = () => ({ services: [] });

/** Revision 1 serves in pool a, and revision 2 has ready pods beside it. */
const both: Words = { pools: { a: { beside: { 2: 2 } } }, revisions: { 2: { in: { a: { entered: 5, clock: 5 } } } } };
const bothServed: Words = { ...both, revisions: { 2: { in: { a: GOOD } } } };
const workers: Words = { ...both, spec: { service: undefined, strategy: { type: 'RollingUpdate' } } };

/** Revision 2 keeps the pods of revision 1. */
const kept: Words = { pools: { a: { serves: 2 } }, revisions: { 2: { in: { a: { ...GOOD, entered: 3, keeps: 1 } } } } };
const keptByWorkers: Words = { ...kept, spec: { service: undefined, strategy: { type: 'RollingUpdate' } } };

test.each<[what: string, words: Words, change: Change, served: object]>([
  ['the Service notes it, one of two with the same pods', kept, () => ({}), { pods: 1, revision: 2, selected: true }],
  [
    'the Service notes the older one with the same pods',
    kept,
    notes('1', ({ services }) => ({ services })),
    { pods: 1, revision: 1, selected: true },
  ],
  [
    'the Service notes another one, and it entered last of two with the same pods',
    kept,
    notes('9', ({ services }) => ({ services })),
    { pods: 1, revision: 2, selected: true },
  ],
  [
    'there is no Service, and it entered last of two with the same pods',
    keptByWorkers,
    () => ({}),
    { pods: 1, revision: 2, selected: true },
  ],
  [
    'there is no Service, and a rollback holds the pool to it',
    { ...keptByWorkers, rollback: { against: 2, to: { a: 1 }, names: true } },
    () => ({}),
    { pods: 1, revision: 1, selected: true },
  ],
  ['the Service selects its track', both, () => ({}), { pods: 1, revision: 1, selected: true }],
  [
    'the Service selects the track of another revision',
    both,
    leadsTo('web-a-2'),
    { pods: 2, revision: 2, selected: true },
  ],
  [
    'the Service notes it and selects no track',
    both,
    notes('2', leadsNowhere),
    { pods: 2, revision: 2, selected: false },
  ],
  [
    'the Service notes it and selects a track without pods',
    both,
    leadsTo('gone'),
    { pods: 1, revision: 1, selected: false },
  ],
  [
    'it has served, and the Service neither selects a track nor notes a revision',
    both,
    notes(undefined, leadsNowhere),
    { pods: 1, revision: 1, selected: false },
  ],
  ['it has served, and the Service was deleted', both, noService, { pods: 1, revision: 1, selected: false }],
  [
    'it is the newest that has served, and the Service was deleted',
    bothServed,
    noService,
    { pods: 2, revision: 2, selected: false },
  ],
  [
    'a former Service of the pool selects it',
    both,
    service(({ metadata, spec }) => ({
      metadata: meta('former', metadata.labels && { labels: metadata.labels, ...own(metadata) }),
      spec: { ...spec, selector: { [LABEL.track]: 'web-a-2' } },
    })),
    { pods: 2, revision: 2, selected: false },
  ],
  ['the release has no Services', workers, () => ({}), { pods: 1, revision: 1, selected: true }],
])('a pool serves a revision if %s', (_what, words, change, served) => {
  expect(servedIn(words, change)).toEqual({ lost: undefined, ...served });
});

function own({ ownerReferences }: Service['metadata']) {
  return { ...(ownerReferences && { ownerReferences }) };
}

test('a pool serves no revision while its Service leads to pods of somebody else', () => {
  const [other] = world(both).pods;
  const elsewhere: Change = (seen) => ({
    ...leadsTo('other')(seen),
    pods: [
      ...seen.pods,
      ...(other ? [{ ...other, metadata: meta('other', { labels: { [LABEL.track]: 'other' } }) }] : []),
    ],
  });
  expect(servedIn(both, notes('1', elsewhere))).toMatchObject({ pods: undefined, selected: false });
});

test('a pool that serves a revision without a record has lost it', () => {
  const lost: Change = ({ revisions }) => ({ revisions: revisions.filter(({ revision }) => revision !== 1) });
  expect(servedIn(both, lost)).toEqual({ pods: 1, revision: undefined, lost: 1, selected: true });
});
