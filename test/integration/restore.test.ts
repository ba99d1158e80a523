// A restore from a backup as Velero does it by default: objects are created anew from name, labels, annotations and spec, without
// their UIDs, owners and statuses.
import { describe, expect } from 'vitest';
import { ANNOTATION } from '../../src/api/meta.ts';
import { APP_RELEASES, PROMOTIONS, ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { BUDGETS } from '../../src/controller/kinds/budgets.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import type { World } from './harness.ts';
import { admin, test } from './harness.ts';
import { pool, release } from './release-objects.ts';

const KINDS: readonly Resource[] = [APP_RELEASES, REVISIONS, DEPLOYMENTS, BUDGETS, PROMOTIONS, ROLLBACKS, SERVICES];

type Backup = Map<Resource, KubeObject[]>;

async function takeBackup({ namespace }: World): Promise<Backup> {
  const lists = await Promise.all(
    KINDS.map(async (kind) => [kind, (await admin.list(kind, { namespace })).items.map(stripped)] as const),
  );
  return new Map(lists);
}

function stripped(object: KubeObject): KubeObject {
  const { metadata, status: _status, spec, ...rest } = object as unknown as Stored;
  const { name, namespace, labels, annotations } = metadata;
  const { clusterIP: _ip, clusterIPs: _ips, ...kept } = spec ?? {};
  const bare = { ...rest, metadata: { name, namespace, labels, annotations }, ...(spec && { spec: kept }) };
  return bare as unknown as KubeObject;
}

interface Stored {
  metadata: { name: string; namespace: string; labels?: object; annotations?: object };
  spec?: Record<string, unknown>;
  status?: unknown;
}

async function removeAll(world: World): Promise<void> {
  // The statuses must not be written by the end of the test's own deletions.
  await world.operator.stop();
  for (const kind of KINDS) {
    const { items } = await admin.list(kind, { namespace: world.namespace });
    for (const { metadata } of items)
      await admin.delete(kind, { namespace: world.namespace, name: metadata.name }).catch(() => undefined);
  }
  await world.until(async () => {
    for (const kind of KINDS) expect((await admin.list(kind, { namespace: world.namespace })).items).toEqual([]);
    expect(await world.pods()).toEqual([]);
  });
}

async function restore({ namespace }: World, backup: Backup, order: readonly Resource[]): Promise<void> {
  for (const kind of order)
    for (const object of backup.get(kind) ?? []) await admin.create(kind, { ...object, namespace } as never);
}

const OTHERS = KINDS.filter((kind) => kind !== APP_RELEASES);

/** With the operator stopped, or with the releases as the last kind, the order of the others is free. */
const ORDERS: [how: string, order: readonly Resource[], running: boolean][] = [
  ['while no operator runs, in alphabetical order', KINDS, false],
  ['while the operator runs, the release last', [...OTHERS, APP_RELEASES], true],
  [
    'while the operator runs, the release last and the others the other way round',
    [...OTHERS.toReversed(), APP_RELEASES],
    true,
  ],
];

describe.concurrent('a restore', () => {
  test.for(ORDERS)('%s, executes nothing again', async ([, order, running], { world }) => {
    const stages = [{ name: 'production', approval: 'Manual' as const, pools: [pool('prod-a', 2)] }];
    // The first version of a release needs an approval too.
    await world.apply(release(await world.image('1.0'), { stages }));
    await world.promote('first', { stage: 'production' });
    await world.released('1.0');
    await world.apply(release(await world.image('2.0'), { stages }));
    await world.promote('second', { stage: 'production' });
    await world.released('2.0');
    await world.rollback('ended');
    await world.rollbackIs('ended', 'Complete', 'True');
    await world.promote('retry', { stage: 'production', version: '2.0' });
    await world.released('2.0');
    await world.rollback('holds', { reason: 'too many errors' });
    await world.rollbackIs('holds', 'Complete', 'True');
    await world.promotionIs('retry', 'Complete', 'True');
    await world.until(async () => {
      for (const name of ['ended', 'holds']) {
        const { metadata, status } = await admin.get(ROLLBACKS, { namespace: world.namespace, name });
        const answer = (metadata as { annotations?: Record<string, string> }).annotations?.[ANNOTATION.answer];
        expect(answer?.includes('endedAt')).toBe(status?.endedAt !== undefined);
      }
    });

    world.excuse(/./);
    const backup = await takeBackup(world);
    await removeAll(world);
    const before = world.timeline('web-prod-a').length;
    if (running) await world.operator.start();
    await restore(world, backup, order);
    if (!running) await world.operator.start();

    await world.conditionIs('RolledBack', { status: 'True', message: expect.stringContaining('by holds') as string });
    await world.rollbackIs('holds', 'Complete', 'True');
    await world.rollbackIs('holds', 'InForce', 'True');
    await world.rollbackIs('ended', 'InForce', 'False');
    for (const name of ['first', 'second', 'retry']) await world.promotionIs(name, 'Complete', 'True');
    await world.conditionIs('Available', { status: 'True' });
    expect(world.timeline('web-prod-a').slice(before)).toEqual([]);
    const revisions = await world.list(REVISIONS);
    expect(revisions.map(({ metadata }) => metadata.name).toSorted()).toEqual(['web-1', 'web-2', 'web-ledger']);

    // A used name works again after the deletion of the object.
    await world.remove(PROMOTIONS, 'retry');
    await world.promote('retry', { stage: 'production', version: '2.0' });
    await world.released('2.0');
  });
});
