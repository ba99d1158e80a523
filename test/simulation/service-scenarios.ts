/** Scenarios with Services and names that clash or change. */
import { LABEL } from '../../src/api/meta.ts';
import type { Expectation, Scenario, UserStep } from './scenario.ts';
import type { Scene } from './simulation.ts';
import { pool, sharedSpec, webSpec } from './specs.ts';
import type { SpecDraft } from './specs.ts';
import {
  RELEASED,
  act,
  complete,
  create,
  edit,
  editPool,
  everywhereAt,
  is,
  ready,
  rollback,
  serves,
  version,
} from './steps.ts';
import { conditionOf, deploymentsOf, poolsOf, selectorOf, servingPods, specOf } from './truth.ts';

const OTHER = { 'other/Ready': 'True', 'other/Available': 'True' };

/** One pool, in one stage. */
function single(name: string, serviceName: string): SpecDraft {
  return { ...webSpec('1.0.0'), stages: [{ name: 'all', pools: [{ ...pool(name, 2), serviceName }] }] };
}

function createRelease(name: string, spec: SpecDraft, when?: UserStep['when']): UserStep {
  return act(
    `create AppRelease ${name}`,
    ({ users }) => {
      users.create(name, spec);
    },
    when,
  );
}

function isTrue(release: string, type: string): (scene: Scene) => boolean {
  return ({ world }) => {
    const object = world.get('AppRelease', release);
    const condition = conditionOf(object, type);
    return condition?.status === 'True' && condition.observedGeneration === object?.metadata.generation;
  };
}

/** Each Service selects exactly the pods of its pools. */
function leadToTheirOwn({ world }: Scene): string | undefined {
  for (const { metadata, spec } of world.list('AppRelease')) {
    const pools = poolsOf(metadata.name, specOf({ spec }));
    for (const { name, service = '' } of pools) {
      const mates = pools.filter((other) => other.service === service);
      const selector = selectorOf(world.get('Service', service));
      const own = servingPods(world, name, selector).length;
      const all = world
        .list('Pod')
        .filter(({ metadata: { labels = {} } }) => labels[LABEL.track] === selector?.[LABEL.track]);
      const strangers = all.filter(
        ({ metadata: { labels = {} } }) =>
          labels[LABEL.release] === metadata.name && !mates.some((mate) => mate.name === labels[LABEL.pool]),
      );
      if (own === 0) return `Service ${service} leads to no pod of ${name}`;
      if (strangers[0]) return `Service ${service} leads to ${strangers[0].metadata.name}`;
    }
  }
  return undefined;
}

function has(number: number, release: string, name: string): Expectation['also'] {
  return ({ world }) => {
    const found = deploymentsOf(world, release, name).length;
    return found === number ? undefined : `pool ${name} has ${found} Deployments`;
  };
}

function all(...checks: Expectation['also'][]): Expectation['also'] {
  return (scene) => checks.map((check) => check?.(scene)).find((problem) => problem !== undefined);
}

function nothingOf(release: string): Expectation['also'] {
  return ({ world }) => (deploymentsOf(world, release).length > 0 ? `${release} has Deployments` : undefined);
}

function serviceNames(names: Record<string, string | undefined>): (spec: SpecDraft) => void {
  return (spec) => {
    for (const found of spec.stages.flatMap(({ pools }) => pools)) {
      if (!Object.hasOwn(names, found.name)) continue;
      const name = names[found.name];
      if (name === undefined) delete found.serviceName;
      else found.serviceName = name;
    }
  };
}

function renameOther(service: string, when: UserStep['when']): UserStep {
  return act(
    `Service ${service} for other`,
    ({ users }) => {
      users.edit('other', serviceNames({ 'prod-a': service }));
    },
    when,
  );
}

function both(...conditions: ((scene: Scene) => boolean)[]): (scene: Scene) => boolean {
  return (scene) => conditions.every((holds) => holds(scene));
}

function selects(service: string, track: string): (scene: Scene) => boolean {
  return ({ world }) => selectorOf(world.get('Service', service))?.[LABEL.track] === track;
}

function rolling(spec: SpecDraft): SpecDraft {
  return { ...spec, strategy: { type: 'RollingUpdate', maxSurge: 1, maxUnavailable: 0 } };
}

const rename = edit('another Service for prod-a', serviceNames({ 'prod-a': 'shop' }), ready);

function onlyServices(...names: string[]): Expectation['also'] {
  return ({ world }) => {
    const found = world.list('Service').map(({ metadata }) => metadata.name);
    return found.toSorted().join() === names.toSorted().join()
      ? undefined
      : `there are the Services ${found.join(', ')}`;
  };
}

const RENAMED = all(onlyServices('shop', 'web-canary', 'web-prod-b'), leadToTheirOwn);

/** The same change of Services with both strategies. */
function withBoth(name: string, from: SpecDraft, steps: readonly UserStep[], also: Expectation['also']): Scenario[] {
  return [from, rolling(from)].map((spec) => ({
    name: `${name}-${spec.strategy?.type === 'RollingUpdate' ? 'rolling' : 'blue-green'}`,
    steps: [create(spec), ...steps],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also },
  }));
}

export const SERVICE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'two-releases-want-one-service',
    steps: [
      create(),
      createRelease('other', single('prod-a', 'web-prod-a'), ready),
      act('see that it has no pods', () => undefined, isTrue('other', 'Stalled')),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: { ...RELEASED, 'other/Stalled': 'True/NameTaken' },
      also: all(nothingOf('other')),
    },
  },
  {
    name: 'two-releases-wanted-one-service',
    steps: [
      create(),
      createRelease('other', single('prod-a', 'web-prod-a'), ready),
      act(
        'give it another Service',
        ({ users }) => {
          users.edit('other', serviceNames({ 'prod-a': 'other' }));
        },
        isTrue('other', 'Stalled'),
      ),
      version('2.0.0', isTrue('other', 'Ready')),
    ],
    expect: {
      serves: { ...everywhereAt('2.0.0'), 'other/prod-a': '1.0.0' },
      conditions: { ...RELEASED, ...OTHER },
      also: leadToTheirOwn,
    },
  },
  {
    name: 'two-releases-make-up-one-name',
    nodes: ['a-b', 'b'],
    steps: [
      createRelease('web', single('a-b', 'first')),
      createRelease('web-a', single('b', 'second'), ready),
      version('2.0.0', isTrue('web-a', 'Ready')),
      rollback('back', ready),
      act('wait until the rollback is complete', () => undefined, complete('back')),
    ],
    expect: {
      serves: { 'web/a-b': '1.0.0', 'web-a/b': '1.0.0' },
      conditions: { 'web-a/Ready': 'True', Available: 'True', RolledBack: 'True' },
      also: leadToTheirOwn,
    },
  },
  {
    name: 'service-renamed-keeps-its-pods',
    steps: [create(), rename],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: RELEASED,
      also: all(RENAMED, ({ world }) =>
        selectorOf(world.get('Service', 'shop'))?.[LABEL.track] === 'web-prod-a-1' ? undefined : 'other pods are made',
      ),
    },
  },
  ...withBoth('service-renamed', webSpec('1.0.0'), [rename, version('2.0.0', ready)], RENAMED),
  ...withBoth(
    'service-renamed-in-a-rollout',
    webSpec('1.0.0'),
    [version('2.0.0', ready), { ...rename, when: serves(['canary', '2.0.0']) }],
    RENAMED,
  ),
  ...withBoth(
    'pools-behind-one-service-are-separated',
    sharedSpec('1.0.0'),
    [
      edit('a Service each', serviceNames({ 'prod-a': undefined, 'prod-b': undefined }), ready),
      version('2.0.0', ready),
    ],
    all(onlyServices('web-canary', 'web-prod-a', 'web-prod-b'), leadToTheirOwn),
  ),
  ...withBoth(
    'a-pool-leaves-the-shared-service',
    sharedSpec('1.0.0'),
    [edit('a Service for prod-a', serviceNames({ 'prod-a': undefined }), ready), version('2.0.0', ready)],
    all(onlyServices('web', 'web-canary', 'web-prod-a'), leadToTheirOwn),
  ),
  ...withBoth(
    'pools-join-one-service',
    webSpec('1.0.0'),
    [edit('one Service for both', serviceNames({ 'prod-a': 'web', 'prod-b': 'web' }), ready), version('2.0.0', ready)],
    all(onlyServices('web', 'web-canary'), leadToTheirOwn),
  ),
  ...withBoth(
    'pools-swap-their-services',
    webSpec('1.0.0'),
    [
      edit('swap the Services', serviceNames({ 'prod-a': 'web-prod-b', 'prod-b': 'web-prod-a' }), ready),
      version('3.0.0', ready),
      rollback('back', ready),
      version('2.0.0', complete('back')),
    ],
    all(has(1, 'web', 'prod-a'), leadToTheirOwn),
  ),
  {
    name: 'service-from-before-is-left-alone',
    steps: [
      create(),
      act(
        'the Services are as they were',
        ({ users }) => {
          for (const name of ['web-canary', 'web-prod-a', 'web-prod-b']) users.selectByTrackAlone(name);
        },
        ready,
      ),
      edit(
        'another canary',
        editPool('canary', (found) => {
          found.replicas = 2;
        }),
      ),
    ],
    expect: {
      serves: everywhereAt('1.0.0'),
      conditions: RELEASED,
      also: selectorKeys(1),
    },
  },
  {
    name: 'service-from-before-is-switched',
    steps: [
      create(),
      act(
        'the Services are as they were',
        ({ users }) => {
          for (const name of ['web-canary', 'web-prod-a', 'web-prod-b']) users.selectByTrackAlone(name);
        },
        ready,
      ),
      version('2.0.0'),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: RELEASED, also: selectorKeys(2) },
  },
  {
    name: 'services-from-before-lead-to-the-pods-of-two-releases',
    orderly: true,
    steps: [
      createRelease('other', single('prod-a', 'web-prod-a')),
      renameOther('other', isTrue('other', 'Ready')),
      createRelease('web', webSpec('1.0.0'), isTrue('other', 'Ready')),
      act(
        'the Services are as they were',
        ({ users }) => {
          for (const name of ['web-prod-a', 'other']) users.selectByTrackAlone(name);
        },
        ready,
      ),
      renameOther('another', ready),
      act(
        'wait until it has pods of its own',
        () => undefined,
        both(isTrue('other', 'Ready'), selects('another', 'another-1')),
      ),
      version('2.0.0'),
    ],
    expect: { serves: everywhereAt('2.0.0'), conditions: { ...RELEASED, ...OTHER }, also: leadToTheirOwn },
  },
  {
    name: 'service-is-made-to-select-by-its-track-alone',
    steps: [
      create(),
      act(
        'take the release out of a selector',
        ({ users }) => {
          users.editService('web-prod-a', { selector: { [LABEL.release]: null } });
        },
        ready,
      ),
      act('wait until it is put back', () => undefined, is('Ready', 'True')),
    ],
    expect: { serves: everywhereAt('1.0.0'), conditions: RELEASED, also: selectorKeys(2) },
  },
];

function selectorKeys(count: number): Expectation['also'] {
  return ({ world }) => {
    const other = world.list('Service').find((service) => Object.keys(selectorOf(service) ?? {}).length !== count);
    return other && `Service ${other.metadata.name} selects by ${JSON.stringify(selectorOf(other))}`;
  };
}
