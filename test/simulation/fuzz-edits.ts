/** Random edits of the spec, and what all random actions name. */
import type { Random } from './prng.ts';
import type { UserStep } from './scenario.ts';
import type { SpecDraft } from './specs.ts';
import { eachPool } from './specs.ts';

export type Act = (random: Random, count: number) => Pick<UserStep, 'say' | 'act'>;

export const VERSIONS = ['1.0.0', '2.0.0', '3.0.0', '4.0.0'];
export const POOLS = ['canary', 'prod-a', 'prod-b'];

export function edit(say: string, change: (spec: SpecDraft) => void): ReturnType<Act> {
  return {
    say,
    act: ({ users }) => {
      users.edit('web', change);
    },
  };
}

/** Edits of which a part changes nothing for the pods of a pool. */
export const EDITS: readonly Act[] = [
  (random) => {
    const name = random.chance(0.3) ? 'shop' : undefined;
    return edit(name === undefined ? 'a route' : `a route ${name}`, (spec) => {
      if (spec.service) spec.route = { parentRefs: [{ name: 'public' }], ...(name !== undefined && { name }) };
    });
  },
  (random) => {
    const name = random.pick(['canary', 'production']);
    const exposure = random.chance(0.8)
      ? random.pick([
          [{ percent: 10, for: '10s' }],
          [
            { percent: 0, for: '5s' },
            { percent: 50, for: '20s' },
          ],
          [
            { percent: 10, approval: 'Manual' as const },
            { percent: 90, for: '5s' },
          ],
        ])
      : undefined;
    const isMatched = random.chance(0.4);
    return edit(`${name} with ${exposure?.length ?? 0} steps${isMatched ? ' and a match' : ''}`, (spec) => {
      if (spec.service) spec.route ??= { parentRefs: [{ name: 'public' }] };
      if (spec.route) spec.route.settle = '10s';
      for (const stage of spec.stages) {
        if (stage.name !== name) continue;
        delete stage.exposure;
        delete stage.match;
        if (exposure) stage.exposure = exposure;
        if (isMatched) stage.match = [{ headers: [{ name: 'x-release', value: name }] }];
      }
    });
  },
  () =>
    edit('no route', (spec) => {
      delete spec.route;
    }),
  (random) => {
    const isGiven = random.chance(0.7);
    const weights = POOLS.map(() => random.pick([0, 1, 50, 100]));
    return edit(isGiven ? `weights ${weights.join()}` : 'no weights', (spec) => {
      eachPool(spec, (found) => {
        if (isGiven) found.weight = weights[POOLS.indexOf(found.name)] ?? 1;
        else delete found.weight;
      });
    });
  },
  (random) => {
    const memory = random.pick(['1Gi', '1024Mi']);
    return edit(`memory of ${memory}, which the API server stores in one spelling`, (spec) => {
      for (const container of spec.template.spec.containers) container.resources = { limits: { memory } };
    });
  },
  (random) => {
    const [name, value] = [random.pick(POOLS), random.pick(['on', 'off'])];
    return edit(`override DEBUG=${value} in ${name}`, (spec) => {
      const template = { spec: { containers: [{ name: 'web', env: [{ name: 'DEBUG', value }] }] } };
      eachPool(spec, (found) => {
        if (found.name === name) found.template = template;
      });
    });
  },
  (random) => {
    const [name, replicas, version] = [random.pick(POOLS), random.between(0, 3), random.pick(VERSIONS)];
    return edit(`version ${version} with ${replicas} replicas in ${name}`, (spec) => {
      spec.version = version;
      for (const container of spec.template.spec.containers)
        container.image = container.image.replace(/:[^:]*$/, `:${version}`);
      eachPool(spec, (found) => {
        if (found.name === name) found.replicas = replicas;
      });
    });
  },
  (random) => {
    const barrier = random.chance(0.5);
    return edit(barrier ? 'set a barrier' : 'take the barrier away', (spec) => {
      spec.rollback = { ...spec.rollback, barrier };
    });
  },
];
