import { expect, test } from 'vitest';
import { GATEWAY } from '../route/route-testing.ts';
import { spec } from '../testing.ts';
import { routeProblem } from './route-rules.ts';

const SERVICE = {
  ports: [
    { name: 'http', port: 80 },
    { name: 'admin', port: 8080 },
  ],
};
const route = { ...GATEWAY, rules: [{ port: 'http' }] };

/** Stages with one pool each; the weights are those of the pools. */
function weighted(...weights: (number | undefined)[]): object {
  return {
    stages: weights.map((weight, index) => ({
      name: `s${index}`,
      pools: [{ name: `p${index}`, nodeSelector: {}, ...(weight !== undefined && { weight }) }],
    })),
  };
}

function pools(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({ name: `p${index}`, nodeSelector: {} }));
}

function header(value: string) {
  return { headers: [{ name: 'x-release', value }] };
}

/** Stages with these matches. */
function matching(...matches: object[][]): object[] {
  return matches.map((match, index) => ({
    name: `s${index}`,
    match,
    pools: [{ name: `p${index}`, nodeSelector: {} }],
  }));
}

/** A stage with one step, and a stage without; the weights are those of their pools. */
function exposedTo(percent: number, ...weights: number[]): object[] {
  return [[{ percent, for: '1m' }], undefined].map((exposure, index) => ({
    name: `s${index}`,
    ...(exposure && { exposure }),
    pools: [{ name: `p${index}`, nodeSelector: {}, ...(weights.length > 0 && { weight: weights[index] }) }],
  }));
}

test.each<[string, object, RegExp | undefined]>([
  ['of a release without a route is not looked at', { route: undefined, ...weighted(1, undefined) }, undefined],
  ['may name the port', { route }, undefined],
  [
    'needs the port of a rule if there are several',
    { route: GATEWAY },
    /^spec\.route\.rules\[0\]\.port: .*name one of http, admin$/,
  ],
  [
    'needs a port that the Service has',
    { route: { ...GATEWAY, rules: [{ port: 'http' }, { port: 'web' }] } },
    /^spec\.route\.rules\[1\]\.port: .*no port named web: name one of http, admin$/,
  ],
  [
    'cannot name the port if it has no name',
    { route, service: { ports: [{ port: 80 }] } },
    /^spec\.route\.rules\[0\]\.port: .*leave it out$/,
  ],
  ['needs no port if there is only one', { route: GATEWAY, service: { ports: [{ port: 80 }] } }, undefined],
  [
    'needs a Service',
    { route, service: undefined, strategy: { type: 'RollingUpdate' } },
    /^spec\.route: .*set spec\.service$/,
  ],
  ['may have weights', { route, ...weighted(0, 100) }, undefined],
  [
    'needs all weights or none',
    { route, ...weighted(5, undefined) },
    /^spec\.stages: give a weight to each pool of all stages, or to none$/,
  ],
  ['needs a weight above 0', { route, ...weighted(0, 0) }, /^spec\.stages: at least one pool needs a weight above 0$/],
  ['may lead to 16 Services', { route, stages: [{ name: 's', pools: pools(16) }] }, undefined],
  [
    'cannot lead to 17',
    {
      route,
      stages: [
        { name: 's', pools: pools(16) },
        { name: 't', pools: [{ name: 'more', nodeSelector: {} }] },
      ],
    },
    /^spec\.route: the 17 pools have 17 Services, .* refer to 16/,
  ],
  [
    'counts a shared Service once',
    {
      route,
      stages: [
        { name: 's', pools: pools(16).map((pool) => ({ ...pool, serviceName: 'web' })) },
        { name: 't', pools: [{ name: 'more', nodeSelector: {} }] },
      ],
    },
    undefined,
  ],
  [
    'counts the second Services of stages with exposure',
    { route, stages: [{ name: 's', exposure: [{ percent: 10, for: '1m' }], pools: pools(9) }] },
    /^spec\.route: the 9 pools have 9 Services and 9 more for stages with exposure, .* refer to 16/,
  ],
  [
    'counts a rule once more for each stage with match',
    {
      route: { ...GATEWAY, rules: Array.from({ length: 6 }, () => ({ port: 'http' })) },
      stages: matching([header('a')], [header('b')]),
    },
    /^spec\.route\.rules: 6 rules, each also for 2 stages with match, are 18, and a route can have 16/,
  ],
  [
    'counts the matches of a rule',
    {
      route: { ...GATEWAY, rules: [{ port: 'http', matches: Array.from({ length: 33 }, () => ({ method: 'GET' })) }] },
      stages: matching([header('a'), header('b')]),
    },
    /^spec\.route\.rules\[0\]\.matches: 33 matches, each with 2 matches of a stage, are 66, and a rule can have 64/,
  ],
  [
    'counts the matches of all rules',
    {
      route: {
        ...GATEWAY,
        rules: Array.from({ length: 3 }, () => ({
          port: 'http',
          matches: Array.from({ length: 30 }, () => ({ method: 'GET' })),
        })),
      },
      stages: matching([header('a')]),
    },
    /^spec\.route\.rules: .* have 180 matches, and a route can have 128/,
  ],
  [
    'cannot match one header twice, as names have no case',
    { route, stages: matching([{ headers: [...header('x').headers, { name: 'X-Release', value: 'y' }] }]) },
    /^spec\.stages\[0\]\.match\[0\]\.headers: the header x-release is there twice/,
  ],
  [
    'cannot match a header of a rule',
    {
      route: { ...GATEWAY, rules: [{ port: 'http', matches: [{ headers: [{ name: 'X-Release', value: 'y' }] }] }] },
      stages: matching([header('x')]),
    },
    /^spec\.stages\[0\]\.match\[0\]\.headers: spec\.route\.rules\[0\] matches the header x-release already/,
  ],
  [
    'cannot match the same in two stages',
    { route, stages: matching([header('a')], [header('b'), header('a')]) },
    /^spec\.stages\[1\]\.match\[1\]: spec\.stages\[0\]\.match\[0\] is the same/,
  ],
  ['may have stages with other matches', { route, stages: matching([header('a')], [header('b')]) }, undefined],
  [
    'has no part that rounds to 0',
    { route, stages: exposedTo(1, 5, 100) },
    /^spec\.stages\[0\]\.exposure\[0\]\.percent: 1% of the weight 5 of Service web-p0, beside a largest weight of 100, is 0\.45 in a route whose weights end at 999, and rounds to 0/,
  ],
  ['has no rest that rounds to 0', { route, stages: exposedTo(99, 5, 100) }, /percent: 1% of the weight 5 /],
  ['may have a part that rounds to 1', { route, stages: exposedTo(1, 6, 100) }, undefined],
  ['may have steps of 0% and 100%', { route, stages: exposedTo(0, 1, 100) }, undefined],
  ['may have steps without weights', { route, stages: exposedTo(1) }, undefined],
])('a route %s', (_what, more, message) => {
  const problem = routeProblem(spec({ service: SERVICE, ...more }), 'web');
  if (message) expect(problem).toMatch(message);
  else expect(problem).toBeUndefined();
});
