/** Scenarios with a rolled-back version and edits during the hold: no edit admits the version. */
import { onFailure } from './failure-scenarios.ts';
import type { Scenario } from './scenario.ts';
import type { Scene } from './simulation.ts';
import type { PoolDraft, SpecDraft } from './specs.ts';
import { pool, webSpec } from './specs.ts';
import {
  act,
  behaves,
  complete,
  create,
  edit,
  everywhere,
  everywhereAt,
  HELD,
  is,
  promote,
  ready,
  RELEASED,
  remove,
  rollback,
  serves,
  version,
} from './steps.ts';
import { conditionOf, revisionsOf } from './truth.ts';

function small(spec: SpecDraft): SpecDraft {
  for (const container of spec.template.spec.containers) container.resources = { requests: { memory: '1Gi' } };
  return spec;
}

function annotate(spec: SpecDraft): void {
  spec.template.metadata = { annotations: { 'example.com/edited': 'yes' } };
}

const annotated = 'add an annotation';

/** A pool that differs from the others. */
function different(name: string): PoolDraft {
  return { ...pool(name, 1), template: { metadata: { annotations: { 'example.com/pool': name } } } };
}

const EDITS: Record<string, [say: string, change: (spec: SpecDraft) => void]> = {
  'a-port': [
    'add a Service port',
    (spec) => {
      spec.service = { ports: [{ name: 'web', port: 80 } as never, { name: 'admin', port: 81 } as never] };
    },
  ],
  'a-pool-with-a-template': [
    'add pool prod-c with a template',
    ({ stages }) => {
      stages[1]?.pools.push(different('prod-c'));
    },
  ],
  'an-annotation': [annotated, annotate],
  'memory-otherwise': [
    'write memory: 1024Mi for 1Gi',
    ({ template }) => {
      for (const container of template.spec.containers) container.resources = { requests: { memory: '1024Mi' } };
    },
  ],
  'the-version-alone': [
    'call it 2.0.1',
    (spec) => {
      spec.version = '2.0.1';
    },
  ],
  'the-image-alone': [
    'another image, as 2.0.0',
    ({ template }) => {
      for (const container of template.spec.containers) container.image = 'registry.test/web:2.0.0-fixed';
    },
  ],
};

/** Whether more than this number of revisions were recorded. */
function recorded(number: number): (scene: Scene) => boolean {
  return ({ world }) => (revisionsOf(world, 'web').at(-1)?.revision ?? 0) >= number;
}

function all(...conditions: ((scene: Scene) => boolean)[]): (scene: Scene) => boolean {
  return (scene) => conditions.every((condition) => condition(scene));
}

/** Version 2.0.0 served in every pool, and was rolled back by hand. */
const held = [
  create(small(webSpec('1.0.0'))),
  version('2.0.0', ready),
  rollback('back', all(ready, everywhere('2.0.0'))),
];
const edited = [...held, edit(annotated, annotate, complete('back'))];
/** Version 2.0.0 crashed in the canary, and the operator rolled it back. */
const failed = [create(), version('2.0.0', ready), edit(annotated, annotate, is('RolledBack', 'True'))];

function repaired({ cluster }: Scene): void {
  cluster.kubelet.behaviours.delete('2.0.0');
}

const WAITS = { Ready: 'False/WaitingForApproval', Available: 'True', Stalled: 'False', RolledBack: 'False' };

/** The status says what keeps the newest revision out. */
function tells(pattern: RegExp): (scene: Scene) => string | undefined {
  return ({ world }) => {
    const message = conditionOf(world.get('AppRelease', 'web'), 'Ready')?.message ?? '';
    return pattern.test(message) ? undefined : `it says: ${message}`;
  };
}

export const HOLD: readonly Scenario[] = [
  ...Object.entries(EDITS).map(([name, [say, change]]): Scenario => ({
    name: `held-version-edited-${name}`,
    steps: [
      ...held,
      edit(say, change, complete('back')),
      act('wait until it is recorded and kept out', () => undefined, all(recorded(3), is('RolledBack', 'True'))),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: HELD,
      also: tells(/^wants 2\.0\.[01], runs 1\.0\.0 by back: /),
    },
    orderly: true,
  })),
  {
    name: 'held-version-edited-then-back-again',
    steps: [
      ...edited,
      edit(
        'take the annotation away',
        (spec) => {
          delete spec.template.metadata;
        },
        recorded(3),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
  },
  {
    name: 'held-version-edited-then-a-revert',
    steps: [
      ...edited,
      edit(
        'back to 1.0.0 as it was',
        (spec) => {
          Object.assign(spec, small(webSpec('1.0.0')));
        },
        recorded(3),
      ),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED },
  },
  {
    name: 'held-version-edited-then-the-rollback-deleted',
    steps: [...edited, remove('back', recorded(3))],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: WAITS,
      also: tells(
        /stage canary \(revision 2 \(2\.0\.0\), which has the same version, was rolled back by rollback back\)$/,
      ),
    },
    orderly: true,
  },
  {
    name: 'held-version-edited-then-the-retry-of-one-stage',
    steps: [...edited, promote('again', { version: '2.0.0', stage: 'canary' }, recorded(3))],
    expect: { serves: { ...everywhereAt('1.0.0'), canary: '2.0.0' }, conditions: WAITS },
    orderly: true,
  },
  {
    name: 'held-version-edited-then-the-retry',
    steps: [
      ...edited,
      promote('again-canary', { revision: 3, stage: 'canary' }, recorded(3)),
      promote('again', {}, serves(['canary', '2.0.0'])),
      // Good in every pool, it passes no mark on.
      edit(
        'change the annotation',
        (spec) => {
          spec.template.metadata = { annotations: { 'example.com/edited': 'again' } };
        },
        all(ready, everywhere('2.0.0')),
      ),
      act('wait until it serves everywhere', () => undefined, all(recorded(4), ready)),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED },
    orderly: true,
  },
  {
    name: 'held-version-comes-back-edited-after-another',
    steps: [
      ...held,
      version('3.0.0', complete('back')),
      edit(
        'version 2.0.0 with an annotation',
        (spec) => {
          Object.assign(spec, small(webSpec('2.0.0')));
          annotate(spec);
        },
        all(ready, everywhere('3.0.0')),
      ),
    ],
    expect: { serves: everywhereAt('3.0.0'), conditions: WAITS },
    orderly: true,
  },
  {
    name: 'held-in-one-pool-then-edited',
    steps: [
      create(),
      version('2.0.0', ready),
      rollback('back', all(ready, everywhere('2.0.0')), { pools: ['prod-a'] }),
      edit(annotated, annotate, complete('back')),
    ],
    expect: {
      serves: { ...everywhereAt('2.0.0'), 'prod-a': '1.0.0' },
      conditions: { Ready: 'False/RolledBack', Available: 'True', RolledBack: 'True' },
      also: ({ world }) =>
        world.list('Deployment').some(({ metadata }) => metadata.name.endsWith('-3')) ? 'revision 3 runs' : undefined,
    },
    orderly: true,
  },
  {
    name: 'failed-version-edited',
    prepare: behaves('2.0.0', 'crash'),
    steps: [...failed, act('wait until it is recorded', () => undefined, all(recorded(3), is('RolledBack', 'True')))],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'failed-version-edited-and-repaired',
    prepare: behaves('2.0.0', 'crash'),
    steps: [
      ...failed,
      act('what it needs is there', repaired, recorded(3)),
      promote('again', { version: '2.0.0', stage: 'canary' }),
    ],
    expect: {
      serves: { ...everywhereAt('1.0.0'), canary: '2.0.0' },
      conditions: WAITS,
      also: tells(/stage production \(revision 2 \(2\.0\.0\), which has the same version, failed in pool canary\)$/),
    },
    orderly: true,
  },
  {
    name: 'failed-version-edited-fails-again',
    prepare: behaves('2.0.0', 'crash'),
    steps: [
      ...failed,
      promote('again', { version: '2.0.0', stage: 'canary' }, recorded(3)),
      act('wait until it is rolled back', () => undefined, complete('web-r3-1')),
      promote('once-more', { version: '2.0.0', stage: 'canary' }),
      act('wait until it is rolled back', () => undefined, complete('web-r3-2')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: HELD },
    orderly: true,
  },
  {
    name: 'failed-version-that-waits-for-a-person-edited',
    prepare: behaves('2.0.0', 'crash'),
    steps: [create(onFailure('Pause')), version('2.0.0', ready), edit(annotated, annotate, is('Stalled', 'True'))],
    expect: { serves: everywhereAt('1.0.0'), conditions: WAITS, leftovers: true },
    orderly: true,
  },
];
