import { expect, test } from 'vitest';
import type { RouteParent } from '../record/kube-objects.ts';
import { acceptanceOf } from './parents.ts';
import { liveRouteOf, parent } from './route-testing.ts';

const PUBLIC = { name: 'public', namespace: 'gateways' };
const STORED = { group: 'gateway.networking.k8s.io', kind: 'Gateway', ...PUBLIC };
const NOT_ALLOWED = { Accepted: ['NotAllowedByListeners', 'no listener allows the namespace'] } as const;

test.each<[string, RouteParent[], string]>([
  ['is accepted by its only Gateway', [parent()], 'Accepted'],
  ['is accepted by a Gateway whose reference has defaults', [parent({}, { ref: STORED })], 'Accepted'],
  [
    'waits without an answer',
    [],
    'Waiting: Gateway gateways/public has not answered: check that it exists and that its controller runs',
  ],
  [
    'waits for the answer to the last change',
    [parent({}, { seen: 0 })],
    'Waiting: Gateway gateways/public has not seen the last change of the route: check that it exists and that its controller runs',
  ],
  [
    'waits while only another Gateway has answered',
    [parent({}, { ref: { name: 'other', namespace: 'gateways' } })],
    'Waiting: Gateway gateways/public has not answered: check that it exists and that its controller runs',
  ],
  [
    'waits while only one listener has answered',
    [parent({}, { ref: { ...PUBLIC, ...{ sectionName: 'http' } } })],
    'Waiting: Gateway gateways/public has not answered: check that it exists and that its controller runs',
  ],
  [
    'is not accepted',
    [parent({ Accepted: [...NOT_ALLOWED.Accepted] })],
    'NotAccepted: Gateway gateways/public says Accepted=False (NotAllowedByListeners): no listener allows the namespace',
  ],
  [
    'has a reference that cannot be resolved',
    [parent({ ResolvedRefs: ['BackendNotFound', 'no Service web-a'] })],
    'NotAccepted: Gateway gateways/public says ResolvedRefs=False (BackendNotFound): no Service web-a',
  ],
  [
    'is accepted if one of two controllers accepts it',
    [parent({ Accepted: [...NOT_ALLOWED.Accepted] }), parent()],
    'Accepted',
  ],
  [
    'is not accepted without a word about references',
    [{ ...parent(), conditions: parent().conditions.slice(0, 1) }],
    'NotAccepted: Gateway gateways/public says nothing about ResolvedRefs',
  ],
])('a route %s', (_what, parents, expected) => {
  const said = acceptanceOf(liveRouteOf({ parents }));
  expect('message' in said ? `${said.state}: ${said.message}` : said.state).toBe(expected);
});

test('each parent must accept the route', () => {
  const spec = { parentRefs: [PUBLIC, { name: 'inside', namespace: 'gateways' }] };
  expect(acceptanceOf(liveRouteOf({ spec }))).toMatchObject({
    state: 'Waiting',
    message: expect.stringContaining('gateways/inside') as string,
  });
});
