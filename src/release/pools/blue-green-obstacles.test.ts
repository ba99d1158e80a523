// The obstacles to BlueGreen in a template, each with its way out.
import { expect, test } from 'vitest';
import type { PodTemplate } from '../../api/pod-template.ts';
import { podTemplate } from '../../api/pod-template.ts';
import { LABEL } from '../../api/meta.ts';
import type { Stuck } from './blue-green-obstacles.ts';
import { surgeObstacle } from './blue-green-obstacles.ts';
import { plan } from '../plan.ts';
import { makeDeployment, makeService, trackName } from '../record/desired.ts';
import { placementKeys, placementOf, topologyOf } from '../record/revision.ts';
import { capacityAvailable, poolProgress } from '../status/ready.ts';
import {
  controllerRevision,
  live,
  liveService,
  meta,
  NOW,
  observed,
  podsFor,
  release,
  revision,
  spec,
} from '../testing.ts';

function template(more: object, container: object = {}) {
  return podTemplate.parse({ spec: { containers: [{ name: 'web', image: 'web:1.0.0', ...container }], ...more } });
}

function antiAffinity(labels: object) {
  const term = { labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' };
  return { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } } };
}

test.each<[string, Stuck, PodTemplate]>([
  ['a hostPort', 'Scheduling', template({}, { ports: [{ containerPort: 80, hostPort: 80 }] })],
  ['the network of the host', 'Scheduling', template({ hostNetwork: true })],
  ['a claim', 'Starting', template({ volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] })],
  ['anti-affinity against itself', 'Scheduling', template(antiAffinity({ app: 'web' }))],
])('%s keeps pods apart', (_what, stuck, given) => {
  expect(surgeObstacle(given, stuck)).toContain('use');
});

test.each([
  ['a port of the container', template({}, { ports: [{ containerPort: 80 }] })],
  ['a volume of its own', template({ volumes: [{ name: 'scratch', emptyDir: {} }] })],
  ['anti-affinity within a revision', template(antiAffinity({ app: 'web', [LABEL.revision]: '1' }))],
])('%s does not', (_what, given) => {
  expect(surgeObstacle(given, 'Scheduling') ?? surgeObstacle(given, 'Starting')).toBeUndefined();
});

test('the status names the obstacle and the way out for pods that wait beside the served pods', () => {
  const [container] = spec().template.spec.containers;
  const hostPort = { ...container, ports: [{ name: 'http', containerPort: 80, hostPort: 80 }] };
  const first = spec();
  const next = spec({ version: '2.0.0', template: { spec: { containers: [hostPort] } } });
  const topology = topologyOf(next);
  const owner = meta('web');
  const keys = placementKeys(topology, 'web', 'BlueGreen');
  const serves = revision(1, first);
  const entered = { at: new Date(NOW).toISOString(), attempt: 1, key: keys.get('a') ?? '' };
  const rolls = revision(2, next, { pools: { a: { entered } }, approvals: {} });
  const [pool] = topology.stages[0]?.pools ?? [];
  if (!pool) throw new Error('no pool');
  const [served, rolling] = [serves, rolls].map((wanted) => {
    const key = keys.get('a') ?? '';
    const identity = { pool: 'a', revision: wanted, placement: placementOf(pool), strategy: 'BlueGreen' as const, key };
    const track = trackName('web-a', identity);
    return {
      track,
      deployment: live(makeDeployment({ owner, identity, track, replicas: 1, topology }), wanted === serves ? 1 : 0),
    };
  });
  if (!served || !rolling || !next.service) throw new Error('no Deployments');
  const service = makeService({
    owner,
    name: 'web-a',
    pools: ['a'],
    track: served.track,
    revision: serves,
    template: next.service,
    annotations: {},
  });
  const unschedulable = '0/1 nodes are available: 1 node(s) did not have free ports for the requested pod ports.';
  const { view } = plan(
    observed({
      release: release(next),
      revisions: [controllerRevision(serves), controllerRevision(rolls)],
      deployments: [served.deployment, rolling.deployment],
      services: [liveService(service)],
      pods: [...podsFor(served.deployment, 1), ...podsFor(rolling.deployment, 1, { ready: false, unschedulable })],
    }),
    NOW,
  );
  const [own] = view.pools;
  if (!own) throw new Error('no pool in the view');
  expect(poolProgress(view, own)).toMatch(/did not have free ports.*hostPort.*RollingUpdate with maxSurge 0/);
  expect(capacityAvailable(view).message).toMatch(/did not have free ports.*RollingUpdate with maxSurge 0/);
});
