import { expect, test } from 'vitest';
import { asAdmitted } from './admitted.ts';
import type { RequestingPodSpec } from './requests.ts';
import { podRequests } from './requests.ts';

type Resources = NonNullable<NonNullable<RequestingPodSpec['containers']>[number]['resources']>;

function spec(resources?: Resources, more: Partial<RequestingPodSpec> = {}): RequestingPodSpec {
  return { containers: [{ name: 'main', ...(resources && { resources }) }], ...more };
}

const DEFAULTS: Resources = { requests: { cpu: '250m', memory: '64Mi' }, limits: { memory: '128Mi' } };
const OVERHEAD = { overhead: { cpu: '100m' } };
const KATA = { runtimeClassName: 'kata' };
const MEMORY = 64 * 2 ** 20;

test.each<[what: string, own: RequestingPodSpec, template: RequestingPodSpec, live: RequestingPodSpec, found: object]>([
  ['nothing is added', spec(), spec(), spec(), {}],
  ['the defaults of a LimitRange', spec(), spec(), spec(DEFAULTS), { cpu: 250, memory: MEMORY }],
  [
    'the defaults for what a container does not ask for',
    spec({ requests: { cpu: '1' } }),
    spec(),
    spec(DEFAULTS),
    { cpu: 1000, memory: MEMORY },
  ],
  ['no default beside a limit', spec({ limits: { cpu: '2' } }), spec(), spec(DEFAULTS), { cpu: 2000, memory: MEMORY }],
  [
    'no default that the live pod asked for itself',
    spec({ requests: { memory: '1Mi' } }),
    spec({ requests: { cpu: '1' } }),
    spec({ requests: { cpu: '1' } }),
    { memory: 2 ** 20 },
  ],
  [
    'the defaults for another container',
    { containers: [{ name: 'main' }, { name: 'side' }] },
    spec(),
    spec(DEFAULTS),
    { cpu: 500, memory: 2 * MEMORY },
  ],
  [
    'the change of a webhook to a container that asks for the same',
    spec({ requests: { cpu: '1000m' } }),
    spec({ requests: { cpu: '1' } }),
    spec({ requests: { cpu: '3' } }),
    { cpu: 3000 },
  ],
  [
    'the overhead of the same RuntimeClass',
    spec(undefined, KATA),
    spec(undefined, KATA),
    spec(undefined, OVERHEAD),
    { cpu: 100 },
  ],
  ['no overhead of another RuntimeClass', spec(), spec(undefined, KATA), spec(undefined, OVERHEAD), {}],
])('admission adds %s', (_what, own, template, live, found) => {
  expect(podRequests(asAdmitted(own, { live, template }))).toEqual(found);
});
