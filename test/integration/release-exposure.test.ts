// A stage whose traffic goes to a new version step by step, on a real API server; the test answers as a Gateway would.
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { parse } from 'yaml';
import { LABEL } from '../../src/api/meta.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import { installGatewayApi, removeGatewayApi } from '../cluster/gateway-api.ts';
import type { Backend } from './answering.ts';
import { answerAll, backendsOf, ROUTE } from './answering.ts';
import type { World } from './harness.ts';
import { admin, cluster, test as base } from './harness.ts';
import { commandsOf, createRun, readPage } from './page.ts';
import type { Spec } from './release-objects.ts';
import { pool, release } from './release-objects.ts';

beforeAll(() => installGatewayApi(cluster.kubectl));
// The control plane serves other files after this one.
afterAll(() => removeGatewayApi(cluster.kubectl));

/** A Gateway that answers to every change of the route. */
const test = base.extend<{ gateway: ReturnType<typeof answerAll> }>({
  gateway: async ({ world }, use) => {
    const gateway = answerAll(world);
    await use(gateway);
    await gateway.stop();
  },
});

type Steps = NonNullable<Spec['stages'][number]['exposure']>;

/** One pool with these steps, behind a route. */
function exposed(image: string, exposure: Steps, changes: Partial<Spec> = {}): Spec {
  const stages = [{ name: 'production', exposure, pools: [pool('prod-a', 2, { weight: 100 })] }];
  return release(image, { route: { ...ROUTE, settle: '500ms' }, stages, ...changes });
}

function weightsAre(world: World, ...expected: [service: string, weight: number][]): Promise<void> {
  return world.until(async () => {
    const [backends = []] = await backendsOf(world);
    expect(backends.map(({ name, weight }: Backend) => [name, weight])).toEqual(expected);
  });
}

/** The revision that the second Service of the pool leads to. */
async function nextLeadsTo(world: World): Promise<string> {
  const { metadata, spec } = await admin.get(SERVICES, { namespace: world.namespace, name: 'web-prod-a-next' });
  expect(metadata.labels).toMatchObject({ [LABEL.next]: 'true' });
  return spec.selector?.[LABEL.track]?.replace('web-prod-a-', '') ?? '';
}

const BY_HAND: Steps = [{ percent: 10, approval: 'Manual' }];

describe.concurrent('an exposure', () => {
  test('goes through its steps, switches without traffic, and gives it back', async ({ world, gateway: _gateway }) => {
    const steps: Steps = [
      { percent: 10, for: '1s' },
      { percent: 50, approval: 'Manual' },
    ];
    await world.apply(exposed(await world.image('1.0'), steps));
    await world.released('1.0');
    await weightsAre(world, ['web-prod-a', 100], ['web-prod-a-next', 0]);
    await world.apply(exposed(await world.image('2.0'), steps));
    await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' });
    await weightsAre(world, ['web-prod-a', 450], ['web-prod-a-next', 450]);
    expect(await nextLeadsTo(world)).toBe('2');
    expect(await world.selected()).toMatchObject({ 'web-prod-a': 1 });
    expect((await world.pool('prod-a')).traffic?.exposure).toMatchObject({
      percent: '50%',
      total: '50%',
      step: 2,
      steps: 2,
    });
    await world.promote('go', { stage: 'production', step: 2 });
    await world.promotionIs('go', 'Complete', 'True', 'StepApproved');
    await world.released('2.0');
    await weightsAre(world, ['web-prod-a', 100], ['web-prod-a-next', 0]);
    await world.until(() => {
      const notes = world.operator.notices.filter(({ reason }) => reason.startsWith('Exposure'));
      expect(notes.map(({ note }) => note)).toEqual([
        'stage production: 10% of the traffic of prod-a goes to revision 2 (2.0), step 1 of 2',
        'stage production: 50% of the traffic of prod-a goes to revision 2 (2.0), step 2 of 2',
        'stage production: 100% of the traffic of prod-a goes to revision 2 (2.0), after the last step',
        'stage production: the Services of prod-a have their traffic back, and lead to revision 2 (2.0)',
      ]);
    });
  });

  test('is taken back by Services alone: no answer of a Gateway is awaited', async ({ world, gateway }) => {
    await world.apply(exposed(await world.image('1.0'), BY_HAND));
    await world.released('1.0');
    await world.apply(exposed(await world.image('2.0'), BY_HAND));
    await weightsAre(world, ['web-prod-a', 810], ['web-prod-a-next', 90]);
    await gateway.stop();
    await world.rollback('back');
    await world.rollbackIs('back', 'Complete', 'True');
    expect(await nextLeadsTo(world)).toBe('1');
    await weightsAre(world, ['web-prod-a', 100], ['web-prod-a-next', 0]);
    await world.poolIs('prod-a', { version: '1.0' });
  });

  test('of a version that stops being ready ends in a rollback', async ({ world, gateway: _gateway }) => {
    const changes: Partial<Spec> = { progressDeadlineSeconds: 5 };
    await world.apply(exposed(await world.image('1.0'), BY_HAND, changes));
    await world.released('1.0');
    await world.apply(exposed(await world.image('2.0'), BY_HAND, changes));
    await weightsAre(world, ['web-prod-a', 810], ['web-prod-a-next', 90]);
    await world.behave(2, 'never-ready');
    await world.conditionIs('RolledBack', { status: 'True' });
    await world.until(async () => {
      expect(await nextLeadsTo(world)).toBe('1');
    });
    await weightsAre(world, ['web-prod-a', 100], ['web-prod-a-next', 0]);
  });

  test('survives an operator that starts anew, and keeps its share while the release is paused', async ({
    world,
    gateway: _gateway,
  }) => {
    const steps: Steps = [{ percent: 10, for: '1s' }];
    await world.apply(exposed(await world.image('1.0'), steps));
    await world.released('1.0');
    await world.apply(exposed(await world.image('2.0'), BY_HAND));
    await weightsAre(world, ['web-prod-a', 810], ['web-prod-a-next', 90]);
    await world.apply({ ...exposed(await world.image('2.0'), steps), paused: true });
    await world.conditionIs('Ready', { status: 'False', reason: 'Paused' });
    await world.operator.restart();
    await world.until(async () => {
      const { message = '' } = (await world.pool('prod-a')).traffic?.exposure ?? {};
      expect(message).toMatch(/paused: spec\.paused is true/);
    });
    await weightsAre(world, ['web-prod-a', 810], ['web-prod-a-next', 90]);
    await world.apply(exposed(await world.image('2.0'), steps));
    await world.released('2.0');
  });

  test('waits while its second Service belongs to somebody else', async ({ world, gateway: _gateway }) => {
    const name = 'web-prod-a-next';
    const spec = { ports: [{ port: 80 }], selector: { app: 'other' } };
    const foreign = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
    await world.applyAs('kubectl', SERVICES, foreign);
    await world.apply(exposed(await world.image('1.0'), [{ percent: 10, for: '500ms' }]));
    await world.stalled('NameTaken');
    await world.remove(SERVICES, name);
    await world.released('1.0');
    expect(await nextLeadsTo(world)).toBe('1');
  });

  test('works with the example and the approval in docs/traffic.md', async ({ world, gateway: _gateway }) => {
    const page = await readPage('traffic.md');
    const [, text = ''] = /^## Step by step$.*?^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
    const { spec } = parse(text) as { spec: Spec };
    for (const stage of spec.stages) {
      for (const step of stage.exposure ?? []) if (step.for !== undefined) step.for = '1s';
      stage.pools = stage.pools.map(({ name, replicas = 1, weight }) =>
        pool(name, replicas, { ...(weight !== undefined && { weight }) }),
      );
    }
    if (spec.route) spec.route.settle = '500ms';
    const at = async (version: string): Promise<Spec> => {
      const [container] = spec.template.spec.containers;
      const containers = [{ ...container, name: 'web', image: await world.image(version) }];
      return { ...spec, version, template: { spec: { ...spec.template.spec, containers } } };
    };
    await world.apply(await at('1.0.0'));
    await world.released('1.0.0');
    await world.apply(await at('2.0.0'));
    await world.conditionIs('Ready', { status: 'False', reason: 'WaitingForApproval' });
    // The other pool gets its weight once its pods have been ready for 10 s.
    await world.until(async () => {
      const [byHeader = [], all = []] = await backendsOf(world);
      expect(byHeader.map(({ name }) => name)).toEqual(['web-canary-vms-next']);
      expect(all.map(({ name, weight }) => [name, weight])).toEqual([
        ['web-canary-vms', 10],
        ['web-canary-vms-next', 0],
        ['web-prod-a', 90],
      ]);
    });
    const [approve = ''] = commandsOf(page, 'Step by step');
    const shell = createRun(cluster.dir, [dirname(cluster.binaries.kubectl)], { KUBECONFIG: cluster.kubeconfigPath });
    await shell(approve.replaceAll('namespace: shop', `namespace: ${world.namespace}`));
    await world.released('2.0.0');
  });
});

describe.concurrent('a promotion', () => {
  test('that names a step which the stage does not have is rejected', async ({ world, gateway: _gateway }) => {
    await world.apply(exposed(await world.image('1.0'), BY_HAND));
    await world.released('1.0');
    await world.promote('wrong', { stage: 'production', step: 2 });
    await world.promotionIs('wrong', 'Accepted', 'False', 'UnknownStep');
    await world.promote('late', { stage: 'production', step: 1 });
    await world.promotionIs('late', 'Accepted', 'False', 'StepPassed');
    await expect(world.promote('skip', { stage: 'production', step: 1, skipSoak: true })).rejects.toThrow(
      /skipSoak admits/,
    );
  });
});

describe.concurrent('the API server refuses', () => {
  const [stage] = exposed('web:1', BY_HAND).stages;
  const long = 'a'.repeat(59);
  test.for<[string, Partial<Spec>, RegExp]>([
    [
      'a step without time and approval',
      { stages: [{ name: 's', exposure: [{ percent: 5 }], pools: [pool('prod-a', 1)] }] },
      /exposure\[0\].*give `for`, or approval: Manual/,
    ],
    [
      'more than 100 percent',
      { stages: [{ name: 's', exposure: [{ percent: 101, for: '1s' }], pools: [pool('prod-a', 1)] }] },
      /percent.*less than or equal to 100/,
    ],
    [
      'a match without headers',
      { stages: [{ name: 's', match: [{ headers: [] }], pools: [pool('prod-a', 1)] }] },
      /headers.*at least 1/,
    ],
    [
      'an exposure without a route',
      { route: undefined },
      /match and exposure lead traffic of spec\.route: set spec\.route/,
    ],
    [
      'an exposure with RollingUpdate',
      { strategy: { type: 'RollingUpdate' } },
      /match and exposure need strategy BlueGreen/,
    ],
    [
      'a serviceName too long for -next',
      { stages: [{ ...(stage ?? { name: 's' }), pools: [pool('prod-a', 1, { serviceName: long })] }] },
      /longer than 63 characters: give the pool a serviceName of at most 58/,
    ],
    [
      'a pool name too long for -next',
      { stages: [{ ...(stage ?? { name: 's' }), pools: [pool('p'.repeat(55), 1)] }] },
      /longer than 63 characters: give the pool a serviceName of at most 58/,
    ],
  ])('%s', async ([, changes, message], { world }) => {
    await expect(world.apply(exposed('web:1', BY_HAND, changes))).rejects.toThrow(message);
  });
});
