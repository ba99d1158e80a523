import { expect, test } from 'vitest';
import type { PodTemplate } from '../../api/app-release.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { plan } from '../plan.ts';
import type { Action } from '../record/actions.ts';
import type { Facts } from '../record/recorded-data.ts';
import type { Observed } from '../state/observed.ts';
import { ago, controllerRevision, NOW } from '../testing.ts';
import type { Words } from '../world-testing.ts';
import { GOOD, keyOn, world } from '../world-testing.ts';

type Created = Action & { kind: 'CreateRevision' };
type Change = (template: PodTemplate, pool: string) => void;

/** Both pools serve revision 1, and the spec wants it. */
const SERVED: Words = { wants: 1 };
const ROLLS: Words = { revisions: { 2: { in: { a: { entered: 1, clock: 1 } } } } };
const DIGEST = `sha256:${'1'.padStart(64, '0')}`;

/** The record of revision 1 is gone, and the API server does not have it either. `change`: what else the Deployments of it run. */
function withoutFirst(words: Words, change?: Change): Observed {
  const seen = world(words);
  const deployments = structuredClone(seen.deployments);
  for (const { metadata, spec } of deployments)
    if (metadata.labels?.[LABEL.revision] === '1') change?.(spec.template, metadata.labels[LABEL.pool] ?? '');
  const gone = new Set(['web-1', ...(words.wants === 1 ? ['web-2'] : [])]);
  const revisions = seen.revisions.filter(({ metadata }) => !gone.has(metadata.name));
  return { ...seen, deployments, revisions, memory: { ...seen.memory, lost: new Set(['ControllerRevision/web-1']) } };
}

function rebuiltIn(seen: Observed): Created | undefined {
  return plan(seen, NOW).actions.find((action) => action.kind === 'CreateRevision' && action.number === 1) as
    Created | undefined;
}

function factsOf(created: Created | undefined): Facts['pools'] {
  return (JSON.parse(created?.annotations[ANNOTATION.facts] ?? '{"pools":{}}') as Facts).pools;
}

/** What the next plan does with the record to the objects that serve. */
function writesAfter(seen: Observed, { name, number, data, annotations }: Created): string[] {
  const facts = JSON.parse(annotations[ANNOTATION.facts] ?? '') as Facts;
  const made = { name, number, uid: 'uid', resourceVersion: '1', createdAt: ago(0), data, facts };
  const { actions } = plan({ ...seen, revisions: [...seen.revisions, controllerRevision(made)] }, NOW);
  return actions.map(({ kind }) => kind).filter((kind) => /^(Apply(Deployment|Service)|Delete)/.test(kind));
}

const at = new Date(NOW).toISOString();
const good = { good: at };

function enteredOn(vms: string, when = at) {
  return { entered: { at: when, attempt: 1, key: keyOn(vms) } };
}

test('the record says what the Deployments run', () => {
  const created = rebuiltIn(withoutFirst(SERVED));
  expect(created).toMatchObject({
    name: 'web-1',
    data: {
      input: {
        version: '1.0.0',
        template: { spec: { containers: [{ name: 'main', image: 'web:1' }] } },
        pools: {},
        ports: [{ port: 80, targetPort: 'http', protocol: 'TCP' }],
        barrier: false,
      },
      images: { 'web:1': { image: `web:1@${DIGEST}`, digest: DIGEST } },
      placements: { a: keyOn('a'), b: keyOn('b') },
    },
    notices: [{ type: 'Warning', reason: 'RecordRebuilt' }],
  });
  expect(created?.data.input.template.spec).not.toHaveProperty('nodeSelector');
});

const IMAGE_BY_TAG: Change = ({ spec }) => {
  for (const container of spec.containers) container.image = 'web:1';
};

test.each<[what: string, words: Words, facts: Facts['pools'], change?: Change]>([
  ['all pods are ready', SERVED, { a: { ...enteredOn('a'), ...good }, b: { ...enteredOn('b'), ...good } }],
  [
    'a pod of a pool is not ready',
    { ...SERVED, pools: { a: { ready: 1 } } },
    { a: enteredOn('a'), b: { ...enteredOn('b'), ...good } },
  ],
  [
    'a newer revision has entered a pool: it stays the one that entered last',
    { ...ROLLS, pools: { a: { beside: { 2: 0 } } } },
    {
      a: { ...enteredOn('a', new Date(Date.parse(ago(1)) - 1).toISOString()), ...good },
      b: { ...enteredOn('b'), ...good },
    },
  ],
  [
    'a pool runs it on other VMs than the spec names',
    { ...SERVED, pools: { a: { on: 'before' } } },
    { a: { ...enteredOn('before'), ...good }, b: { ...enteredOn('b'), ...good } },
  ],
  [
    'a pool serves another revision',
    { revisions: { 2: { in: { a: GOOD } } }, pools: { a: { serves: 2 } } },
    { b: { ...enteredOn('b'), ...good } },
  ],
  [
    'without a Service',
    { ...SERVED, spec: { service: undefined, strategy: { type: 'RollingUpdate' } } },
    {
      a: { entered: { at, attempt: 1, key: keyOn('a', 'RollingUpdate') }, ...good },
      b: { entered: { at, attempt: 1, key: keyOn('b', 'RollingUpdate') }, ...good },
    },
  ],
  ['an image has no digest', SERVED, {}, IMAGE_BY_TAG],
  [
    'a label of the operator was changed',
    SERVED,
    {},
    ({ metadata }) => {
      Object.assign(metadata?.labels ?? {}, { 'apprelease.dev/track': 'mine' });
    },
  ],
  [
    'pools differ in what no template of a pool can say',
    SERVED,
    {},
    ({ spec }, pool) => {
      if (pool === 'a') spec.terminationGracePeriodSeconds = 5;
    },
  ],
  ['the name is taken', { ...SERVED, memory: { nameConflicts: new Map([['ControllerRevision/web-1', 'taken']]) } }, {}],
  ['nothing can be created', { ...SERVED, memory: { terminating: true } }, {}],
])('%s', (_what, words, facts, change) => {
  const seen = withoutFirst(words, change);
  const created = rebuiltIn(seen);
  expect(factsOf(created)).toEqual(facts);
  if (created) expect(writesAfter(seen, created).filter((kind) => kind !== 'ApplyDeployment')).toEqual([]);
});

const MAIN = 'main';

test.each<[what: string, change: Change, data: object]>([
  [
    'differences of the pools',
    ({ metadata, spec }, pool) => {
      Object.assign(metadata?.labels ?? {}, { team: 'shop', ...(pool === 'b' && { tier: 'edge' }) });
      for (const container of spec.containers)
        container.env = [{ name: 'LEVEL', value: 'info' }, ...(pool === 'a' ? [{ name: 'DEBUG', value: 'on' }] : [])];
    },
    {
      input: {
        template: { metadata: { labels: { team: 'shop' } }, spec: { containers: [{ env: [{ name: 'LEVEL' }] }] } },
        pools: {
          a: { spec: { containers: [{ name: MAIN, env: [{ name: 'DEBUG', value: 'on' }] }] } },
          b: { metadata: { labels: { tier: 'edge' } } },
        },
      },
    },
  ],
  [
    'other resources and another account in one pool',
    ({ spec }, pool) => {
      spec.serviceAccountName = spec.serviceAccount = pool === 'a' ? 'one' : 'other';
      for (const container of spec.containers) container.resources = { requests: { cpu: pool === 'a' ? '1' : '2' } };
    },
    {
      input: {
        template: { spec: { serviceAccountName: 'one' } },
        pools: {
          b: {
            spec: {
              serviceAccountName: 'other',
              containers: [{ name: MAIN, resources: { requests: { cpu: '2' } } }],
            },
          },
        },
      },
    },
  ],
  [
    'a restart by kubectl',
    ({ metadata }) => {
      Object.assign(metadata?.annotations ?? {}, { 'kubectl.kubernetes.io/restartedAt': 'now' });
    },
    { input: { template: { metadata: { annotations: {} } } } },
  ],
  [
    'two digests under one name',
    ({ spec }) => {
      spec.containers.push({ name: 'side', image: `web:1@sha256:${'2'.repeat(64)}`, imagePullPolicy: 'IfNotPresent' });
    },
    { images: { [`web:1@${DIGEST}`]: { digest: DIGEST } } },
  ],
  [
    'nulls and a nodeSelector of the template',
    ({ metadata, spec }) => {
      Object.assign(metadata ?? {}, { creationTimestamp: null });
      Object.assign(spec.nodeSelector ?? {}, { disk: 'ssd' });
    },
    { input: { template: { spec: { nodeSelector: { disk: 'ssd' } } } } },
  ],
])('%s, and no pod changes', (_what, change, data) => {
  const seen = withoutFirst(SERVED, change);
  const created = rebuiltIn(seen);
  expect(created?.data).toMatchObject(data);
  expect(created && writesAfter(seen, created)).toEqual([]);
});

test('the standby of a pool that serves the next revision can be returned to', () => {
  const words: Words = { revisions: { 2: { in: { a: GOOD } } }, pools: { a: { serves: 2, beside: { 1: 2 } } } };
  const seen = withoutFirst(words);
  const services = seen.services.map((service) => {
    const annotations = { ...service.metadata.annotations, [ANNOTATION.previousTrack]: 'web-a-1' };
    return { ...service, metadata: { ...service.metadata, annotations } };
  });
  expect(factsOf(rebuiltIn({ ...seen, services })).a).toEqual(good);
});

test('nothing is rebuilt before the record was looked for', () => {
  const seen = withoutFirst(SERVED);
  const { actions } = plan({ ...seen, memory: { ...seen.memory, lost: new Set() } }, NOW);
  expect(actions.map(({ kind }) => kind)).toEqual(['FindLost']);
});
