/** Collects the observed state of a pass from the caches. Only Services of others are read from the API server. */
import type { AppRelease } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { LABEL } from '../../api/meta.ts';
import { keptBy, onceForKey } from '../../lib/once.ts';
import type { DigestLookup, Observed } from '../../release/state/observed.ts';
import { isHandedOver, isOurs } from '../../release/record/ownership.ts';
import { budgetsBeside } from '../kinds/budget-index.ts';
import { FORMER_INDEX, RELEASE_INDEX } from '../kinds/indexes.ts';
import type { ReleaseMemory } from './memory.ts';
import { forgetGone, expire } from './memory.ts';
import type { ReconcileContext } from './context.ts';
import { readForeignServices } from './traffic.ts';

/** The look-ups of room on VMs. */
export type RoomLook = Pick<Observed, 'rooms' | 'countRoom' | 'others'>;

export async function observe(
  context: ReconcileContext,
  release: AppRelease,
  memory: ReleaseMemory,
  now: number,
  room: RoomLook = {},
): Promise<Observed> {
  const foreignServices = await readForeignServices(context, release.metadata.namespace, memory);
  return { ...observeCached(context, release, memory, now, room), foreignServices };
}

/** The observed state without reads from the API server. */
export function observeCached(
  context: ReconcileContext,
  release: AppRelease,
  memory: ReleaseMemory,
  now: number,
  room: RoomLook,
): Observed {
  const { caches } = context;
  const { namespace, name } = release.metadata;
  const key = `${namespace}/${name}`;
  const services = caches.services.byIndex(RELEASE_INDEX, key);
  const slices = caches.slices.byIndex(RELEASE_INDEX, key);
  const pods = caches.pods.byIndex(RELEASE_INDEX, key);
  const revisions = caches.revisions.byIndex(RELEASE_INDEX, key);
  const autoscalers = caches.autoscalers.byIndex(RELEASE_INDEX, key);
  const budgets = caches.budgets.byIndex(RELEASE_INDEX, key);
  const vmPools = caches.vmPools.list();
  const vms = caches.nodes.list();
  const deployments = caches.deployments.byIndex(RELEASE_INDEX, key);
  const foreignBudgets = budgetsBeside(caches.budgets, release.metadata, deployments);
  forgetGone(
    memory,
    namesOf({
      Deployment: deployments,
      Service: services,
      HorizontalPodAutoscaler: autoscalers,
      // A budget of the release may have lost its label.
      PodDisruptionBudget: [...budgets, ...foreignBudgets],
    }),
  );
  const { metadata: owner } = release;
  const digests = keptBy<DigestLookup>();
  const moved = keptBy<string | undefined>();
  forgetTaken(memory, 'Service', services, owner);
  forgetTaken(memory, 'HorizontalPodAutoscaler', autoscalers, owner);
  forgetTaken(memory, 'PodDisruptionBudget', budgets, owner);
  return {
    release,
    revisions,
    deployments,
    services,
    autoscalers,
    budgets,
    foreignBudgets,
    slices,
    pods,
    nodes: pods.flatMap(({ nodeName, ready }) =>
      nodeName === undefined || ready ? [] : (caches.nodes.get(undefined, nodeName) ?? []),
    ),
    vmPools,
    vms,
    ...(context.seesAllPods && room),
    rollbacks: caches.rollbacks.byIndex(RELEASE_INDEX, key),
    promotions: caches.promotions.byIndex(RELEASE_INDEX, key),
    lookUpDigest: (image, template) => digests([template], image, () => context.lookupDigest(release, image, template)),
    findMoved: (image, template, pinned) =>
      moved([template], `${image} ${pinned}`, () => context.movedDigest?.(release, image, template, pinned)),
    isSelectedByOthers: onceForKey((track) =>
      caches.services
        .byIndex(FORMER_INDEX, `${namespace}/${track}`)
        .some(({ metadata }) => metadata.labels?.[LABEL.release] !== name),
    ),
    foreignServices: [],
    memory: expire(memory, now),
  };
}

/** Kind/name of every object. */
function namesOf(byKind: Readonly<Record<string, readonly { metadata: ObjectMeta }[]>>): Set<string> {
  const names = Object.entries(byKind).flatMap(([kind, objects]) =>
    objects.map(({ metadata }) => `${kind}/${metadata.name}`),
  );
  return new Set(names);
}

/** Forgets the name conflicts of objects that the release owns by now: another leader may have created them. */
function forgetTaken(
  { nameConflicts }: ReleaseMemory,
  kind: string,
  objects: readonly { metadata: ObjectMeta }[],
  owner: ObjectMeta,
): void {
  for (const object of objects)
    if (isOurs(object, owner) || isHandedOver(object, owner)) nameConflicts.delete(`${kind}/${object.metadata.name}`);
}
