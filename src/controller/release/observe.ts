/** Collects the observed state of a pass from the caches. Only Services of others are read from the API server. */
import type { AppRelease } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { LABEL } from '../../api/meta.ts';
import { APPLIED_KINDS } from '../../release/record/kube-objects.ts';
import { keptBy, onceForKey } from '../../lib/once.ts';
import type { DigestLookup, Observed } from '../../release/state/observed.ts';
import { isHandedOver, isOurs } from '../../release/record/ownership.ts';
import { budgetsBeside } from '../kinds/budget-index.ts';
import type { Caches } from '../kinds/caches.ts';
import { OWNED_ROWS } from '../kinds/owned.ts';
import { FORMER_INDEX, RELEASE_INDEX } from '../kinds/indexes.ts';
import type { ReleaseMemory } from './memory.ts';
import { forgetGone, expire } from './memory.ts';
import type { ReconcileContext } from './context.ts';
import { mayHaveLeftRoutes } from '../../release/route/left-routes.ts';
import { readForeignServices, readRoutes } from './traffic.ts';

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
  const observed = { ...observeCached(context, release, memory, now, room), foreignServices };
  return mayHaveLeftRoutes(release, observed)
    ? { ...observed, otherRoutes: await readRoutes(context, release) }
    : observed;
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
  const objects = objectsOf(caches, key);
  const { deployments, pods } = objects;
  const foreignBudgets = budgetsBeside(caches.budgets, release.metadata, deployments);
  forgetPast(memory, release.metadata, objects, foreignBudgets);
  const digests = keptBy<DigestLookup>();
  const moved = keptBy<string | undefined>();
  return {
    release,
    ...objects,
    foreignBudgets,
    nodes: pods.flatMap(({ nodeName, ready }) =>
      nodeName === undefined || ready ? [] : (caches.nodes.get(undefined, nodeName) ?? []),
    ),
    vmPools: caches.vmPools.list(),
    vms: caches.nodes.list(),
    ...(context.seesAllPods && room),
    lookUpDigest: (image, template) => digests([template], image, () => context.lookupDigest(release, image, template)),
    findMoved: (image, template, pinned) =>
      moved([template], `${image} ${pinned}`, () => context.movedDigest?.(release, image, template, pinned)),
    isSelectedByOthers: onceForKey((track) =>
      caches.services
        .byIndex(FORMER_INDEX, `${namespace}/${track}`)
        .some(({ metadata }) => metadata.labels?.[LABEL.release] !== name),
    ),
    foreignServices: [],
    otherRoutes: [],
    routeAbsence: (kind) => caches[OWNED_ROWS[kind]].absence?.(),
    ...(context.clockSkewMs && { clockSkewMs: context.clockSkewMs() }),
    memory: expire(memory, now),
  };
}

/** The objects that belong to a release, by row. */
function objectsOf(caches: Caches, key: string) {
  return {
    revisions: caches.revisions.byIndex(RELEASE_INDEX, key),
    deployments: caches.deployments.byIndex(RELEASE_INDEX, key),
    services: caches.services.byIndex(RELEASE_INDEX, key),
    autoscalers: caches.autoscalers.byIndex(RELEASE_INDEX, key),
    budgets: caches.budgets.byIndex(RELEASE_INDEX, key),
    httpRoutes: caches.httpRoutes.byIndex(RELEASE_INDEX, key),
    grpcRoutes: caches.grpcRoutes.byIndex(RELEASE_INDEX, key),
    slices: caches.slices.byIndex(RELEASE_INDEX, key),
    pods: caches.pods.byIndex(RELEASE_INDEX, key),
    rollbacks: caches.rollbacks.byIndex(RELEASE_INDEX, key),
    promotions: caches.promotions.byIndex(RELEASE_INDEX, key),
  };
}

/** Forgets what is remembered of objects that are gone, and the conflicts of names that are the release's by now. */
function forgetPast(
  memory: ReleaseMemory,
  owner: ObjectMeta,
  objects: ReturnType<typeof objectsOf>,
  foreignBudgets: readonly { metadata: ObjectMeta }[],
): void {
  const owned = APPLIED_KINDS.map((kind) => ({ kind, objects: objects[OWNED_ROWS[kind]] }));
  // A budget of the release may have lost its label.
  const seen = [...owned, { kind: 'PodDisruptionBudget', objects: foreignBudgets }];
  forgetGone(memory, new Set(seen.flatMap((of) => of.objects.map(({ metadata }) => `${of.kind}/${metadata.name}`))));
  // The conflict of a Deployment expires.
  for (const { kind, objects: own } of owned) if (kind !== 'Deployment') forgetTaken(memory, kind, own, owner);
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
