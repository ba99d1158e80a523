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
])('a route %s', (_what, more, message) => {
  const problem = routeProblem(spec({ service: SERVICE, ...more }), 'web');
  if (message) expect(problem).toMatch(message);
  else expect(problem).toBeUndefined();
});
