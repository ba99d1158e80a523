// An upgrade of the operator over all states of a release.
import { afterAll, beforeAll, expect } from 'vitest';
import { ANNOTATION, LABEL } from '../../src/api/meta.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import { AUTOSCALERS } from '../../src/controller/kinds/autoscalers.ts';
import { BUDGETS } from '../../src/controller/kinds/budgets.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { PODS } from '../../src/controller/kinds/pods.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { installCrds } from '../cluster/kubectl.ts';
import type { Images, World } from './harness.ts';
import { admin, cluster, test, withWorld } from './harness.ts';
import { startOperatorProcess } from './operator-process.ts';
import type { PreviousOperator } from './previous-operator.ts';
import { buildPreviousOperator } from './previous-operator.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, pool, release, stages, worker } from './release-objects.ts';

let previous: PreviousOperator;

beforeAll(async () => {
  previous = await buildPreviousOperator();
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-k', previous.crds]);
}, 120_000);

afterAll(() => installCrds(cluster));

/** Fields that the API server stores in another form, or keeps as null. */
function oddly({ template, ...spec }: Spec): Spec {
  const [container] = template.spec.containers;
  const odd = { env: null, resources: { requests: { cpu: '0.01', memory: '1024Ki' } }, command: [] };
  const containers = [{ ...container, ...odd }];
  return { ...spec, template: { ...template, spec: { containers, tolerations: null, hostNetwork: false } } as never };
}

const HELM = { 'app.kubernetes.io/managed-by': 'Helm' };

/** Variables and labels that the renderers of the two operators put differently. */
function differently({ template, ...spec }: Spec): Spec {
  const [container] = template.spec.containers;
  const env = [
    { name: 'HOST', value: 'a' },
    { name: 'URL', value: 'http://$(HOST)/' },
  ];
  const containers = [{ ...container, env }];
  const difference = { spec: { containers: [{ name: 'web', env: [{ name: 'HOST', value: 'b' }] }] } };
  return {
    ...spec,
    template: { metadata: { labels: { app: 'web', ...HELM } }, spec: { containers } } as never,
    stages: [{ name: 'production', pools: [pool('prod-a', 1, { template: difference })] }],
    ...(spec.service && { service: { ...spec.service, metadata: { labels: HELM } } }),
  };
}

const approved: Spec['stages'] = stages.map((stage) => ({
  ...stage,
  approval: stage.name === 'production' ? 'Manual' : 'Automatic',
}));
const behindOne: Spec['stages'] = [
  { name: 'production', pools: ['prod-a', 'prod-b'].map((name) => pool(name, 1, { serviceName: 'shared' })) },
];
const scaled: Spec['stages'] = [
  { name: 'production', pools: [pool('prod-a', 1, { autoscaling: { minReplicas: 1, maxReplicas: 3 } })] },
];

/** The state of a release when the operator is replaced: its spec for an image, and its way from 1.0 to 2.0. */
interface Standing {
  readonly name: string;
  readonly spec: (image: string) => Spec;
  readonly reach: (world: World, name: string) => Promise<unknown>;
}

const everywhere: Standing['reach'] = (world, name) => world.released('2.0', name);

const STANDING: readonly Standing[] = [
  { name: 'web', spec: (image) => oddly(release(image)), reach: everywhere },
  {
    name: 'held',
    spec: (image) => release(image, { stages: oneStage }),
    reach: async (world, name) => {
      await world.released('2.0', name);
      await world.rollback('held-back', { release: name, reason: 'checkout fails' });
      await world.rollbackIs('held-back', 'Complete', 'True');
      await world.until(async () => {
        const left = (await world.deployments()).filter(({ metadata }) => metadata.name.startsWith('held-'));
        expect(left).toHaveLength(1);
      });
    },
  },
  {
    name: 'waits',
    spec: (image) => release(image, { stages: approved }),
    reach: async (world, name) => {
      await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' }, name);
    },
  },
  { name: 'worker', spec: (image) => worker(image, { stages: oneStage, minReadySeconds: 1 }), reach: everywhere },
  {
    name: 'rolls',
    spec: (image) => release(image, { stages: oneStage, strategy: { type: 'RollingUpdate', maxSurge: 1 } }),
    reach: everywhere,
  },
  {
    name: 'differs',
    spec: (image) => differently(release(image, { strategy: { type: 'RollingUpdate' } })),
    reach: everywhere,
  },
  { name: 'shares', spec: (image) => release(image, { stages: behindOne }), reach: everywhere },
  { name: 'scales', spec: (image) => release(image, { stages: scaled }), reach: everywhere },
  { name: 'adopts', spec: (image) => release(image, { stages: oneStage }), reach: everywhere },
];

async function annotate(world: World, name: string, annotations: Record<string, string | null>): Promise<void> {
  await world.merge(APP_RELEASES, name, { metadata: { annotations } }, 'kubectl-annotate');
}

/** Two passes of the current operator: one that pauses, one that resumes. */
async function passed(world: World, name: string): Promise<void> {
  await annotate(world, name, { [ANNOTATION.paused]: 'upgrade' });
  await world.conditionIs('Paused', { status: 'True' }, name);
  await annotate(world, name, { [ANNOTATION.paused]: null });
  await world.conditionIs('Paused', { status: 'False' }, name);
}

/** Everything of a workload that a restart or a write would change, without statuses. */
async function workloads(world: World): Promise<unknown[]> {
  const pods = await world.list(PODS);
  const deployments = await world.list(DEPLOYMENTS);
  const others = [...(await world.list(SERVICES)), ...(await world.list(AUTOSCALERS)), ...(await world.list(BUDGETS))];
  return [
    ...pods.map(({ metadata }) => metadata.uid),
    ...[...deployments, ...others].map(({ metadata, spec }) => {
      const { name, uid, labels, annotations } = metadata;
      const { 'deployment.kubernetes.io/revision': _counted, ...own } = annotations ?? {};
      return { name, uid, labels, annotations: own, spec };
    }),
  ];
}

async function runPrevious(world: World, images: Images): Promise<void> {
  await world.operator.stop();
  await admin.create(SERVICES, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'adopts-prod-a', namespace: world.namespace, annotations: { [ANNOTATION.adopt]: 'true' } },
    spec: { selector: { app: 'before' }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  const operator = await startOperatorProcess(cluster, {
    kubeconfig: cluster.kubeconfigPath,
    bundle: previous.bundle,
    flags: ['--leader-elect=false', `--insecure-registry=${images.registry.host}`],
  });
  try {
    for (const version of ['1.0', '2.0']) {
      const image = await world.image(version);
      await Promise.all(STANDING.map(({ name, spec }) => world.apply(spec(image), { name })));
      if (version === '1.0') await Promise.all(STANDING.map(({ name }) => firstReleased(world, name)));
    }
    await Promise.all(STANDING.map(({ name, reach }) => reach(world, name)));
  } finally {
    await operator.stop();
  }
}

async function firstReleased(world: World, name: string): Promise<void> {
  if (name === 'waits') {
    await world.conditionIs('Ready', { reason: 'WaitingForApproval' }, name);
    await world.promote('waits-first', { release: name, version: '1.0', stage: 'production' });
  }
  await world.released('1.0', name);
}

test('an upgrade writes to no workload, and running steps continue', async ({ images }) => {
  await withWorld(
    images,
    async (world) => {
      await runPrevious(world, images);
      await installCrds(cluster);
      const before = await workloads(world);
      const { length } = world.operator.writes;
      await world.operator.restart();
      await Promise.all(STANDING.map(({ name }) => passed(world, name)));
      const written = world.operator.writes.slice(length).map(({ resource }) => resource);
      // The answers of rollbacks and promotions, which an earlier operator did not keep.
      const answers = ['releaserollbacks', 'releasepromotions'];
      expect(written.filter((resource) => !resource.endsWith('/status') && !answers.includes(resource))).toEqual([]);
      expect(await workloads(world)).toEqual(before);

      // The next version, and a rollback to a version of the previous operator.
      await world.apply(oddly(release(await world.image('3.0'))), { name: 'web' });
      await world.released('3.0', 'web');
      const { spec } = await admin.get(SERVICES, { namespace: world.namespace, name: 'web-prod-a' });
      expect(spec.selector).toMatchObject({ [LABEL.release]: 'web' });
      await world.rollback('web-back', { release: 'web' });
      await world.rollbackIs('web-back', 'Complete', 'True');
      await world.poolIs('prod-a', { version: '2.0' });

      // The next version has the variables and the labels of the new renderer, the Service those of its next switch.
      await world.apply(differently(release(await world.image('3.0'), { strategy: { type: 'RollingUpdate' } })), {
        name: 'differs',
      });
      await world.released('3.0', 'differs');
      const [rolled] = (await world.list(DEPLOYMENTS)).filter(
        ({ metadata }) => metadata.labels?.[LABEL.release] === 'differs',
      );
      const pods = rolled?.spec.template;
      const service = await admin.get(SERVICES, { namespace: world.namespace, name: 'differs-prod-a' });
      expect(pods?.spec.containers[0]?.env?.map(({ name }) => name)).toEqual(['HOST', 'URL']);
      for (const described of [pods, service]) expect(described?.metadata?.labels).toMatchObject(HELM);
    },
    true,
  );
});
