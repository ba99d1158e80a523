import { describe, expect, test } from 'vitest';
import { GATEWAY } from '../route/route-testing.ts';
import type { Service } from '../record/kube-objects.ts';
import { topologyOf } from '../record/revision.ts';
import { meta, revision, spec } from '../testing.ts';
import { GOOD, world } from '../world-testing.ts';
import { portObstacle, routedPortProblem } from './routed-ports.ts';

const HTTP = { name: 'http', port: 80, targetPort: 80 };
const ADMIN = { name: 'admin', port: 8080, targetPort: 8080 };

/** Revision 1 serves these ports behind the rules. */
function serving(ports: object[], rules: object[] | undefined) {
  return {
    wants: 1,
    revisions: { 1: { in: { a: GOOD, b: GOOD } } },
    spec: { service: { ports }, route: { ...GATEWAY, ...(rules && { rules }) } },
    pools: { a: {}, b: {} },
  };
}

describe('a spec behind a route', () => {
  function problemOf(before: object[], after: object[], rules?: object[]): string | undefined {
    const seen = world(serving(before, rules));
    const services = seen.services.map((service) => ({
      ...service,
      spec: { ...service.spec, ports: before as never },
    }));
    return routedPortProblem(
      { ...seen, services },
      spec({ service: { ports: after }, route: { ...GATEWAY, ...(rules && { rules }) } }),
    );
  }
  test.each<[string, object[], object[], object[] | undefined, RegExp | undefined]>([
    ['may keep its ports', [HTTP], [HTTP], undefined, undefined],
    ['may change the targetPort', [HTTP], [{ ...HTTP, targetPort: 8080 }], undefined, undefined],
    ['may add a port', [HTTP], [HTTP, ADMIN], [{ port: 'http' }], undefined],
    [
      'may change a port that no rule leads to',
      [HTTP, ADMIN],
      [HTTP, { ...ADMIN, port: 81 }],
      [{ port: 'http' }],
      undefined,
    ],
    [
      'keeps the number of a routed port',
      [HTTP, ADMIN],
      [HTTP, { ...ADMIN, port: 81 }],
      [{ port: 'http' }, { port: 'admin' }],
      /Service web-a serves, the route leads to port admin at 8080, and spec\.service\.ports has it at 81: keep the number/,
    ],
    [
      'keeps the number of the only port',
      [{ port: 80 }],
      [{ port: 81 }],
      undefined,
      /leads to port 80 at 80, and spec\.service\.ports has it at 81/,
    ],
  ])('%s', (_what, before, after, rules, message) => {
    const problem = problemOf(before, after, rules);
    if (message) expect(problem).toMatch(message);
    else expect(problem).toBeUndefined();
  });

  test('may have any ports before it serves', () => {
    expect(routedPortProblem({ ...world(), services: [] }, spec({ route: GATEWAY }))).toBeUndefined();
  });
});

test.each([
  ['with the same ports fits', [HTTP], undefined],
  [
    'with another number for the routed port does not',
    [{ ...HTTP, port: 81 }],
    'the route leads to port http at 80, and revision 2 has it at 81',
  ],
  ['without the routed port does not', [ADMIN], 'the route leads to port http at 80, and revision 2 has it not'],
])('a recorded revision %s', (_what, ports, message) => {
  const topology = topologyOf(spec({ service: { ports: [HTTP] }, route: { ...GATEWAY, rules: [{ port: 'http' }] } }));
  const service: Service = { metadata: meta('web-a'), spec: { ports: [HTTP] } };
  const later = revision(2, spec({ service: { ports } }));
  expect(portObstacle({ topology }, { service, adopted: false }, later)).toBe(message);
  expect(portObstacle({ topology }, { service, adopted: true }, later)).toBeUndefined();
});
