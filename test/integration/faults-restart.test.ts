// An API server that goes away while the operator works. A file of its own, because most of it is waiting for Kubernetes.
import { expect } from 'vitest';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import { expectEnd, test, version } from './faults-world.ts';

test('the API server is restarted in the middle of a promotion and of a rollback', async ({ ending, setUp }) => {
  const own = await startControlPlane();
  ending.defer(() => own.stop());
  await addNodes(own, ...standardPools);
  const scene = await setUp(own);
  const { world } = scene;
  await world.apply(version(1));
  await world.promote('first', { version: '1.0', stage: 'production' });
  await world.released('1.0');
  await world.apply(version(2));
  await world.until('second revision', async () => {
    const { items } = await world.admin.list(DEPLOYMENTS, { namespace: world.namespace });
    return items.length > 3;
  });
  await own.restartApiServer();
  await world.invariant.resume();
  await world.promote('second', { version: '2.0', stage: 'production' });
  await world.until('second version in production', async () => {
    const selected = await world.selected();
    return selected['web-prod-a'] === '2' && selected['web-prod-b'] === '2';
  });
  // The watcher has seen both switches before the API server goes away again.
  expect(await world.invariant.judged()).toBeGreaterThanOrEqual(2);
  await world.rollBack('back');
  await own.restartApiServer();
  await world.rolledBack('back');
  // The other switches can come while the watcher is cut off: these are not judged.
  await expectEnd(scene, 2);
}, 300_000);
