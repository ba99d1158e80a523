/** Collects what a pass sees: from the caches, and from the API server only what carries no label of ours. */
import type { AppRelease } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { ANNOTATION, LABEL } from '../../api/meta.ts';
import { getIfThere } from '../../kube/client.ts';
import { own } from '../../lib/own.ts';
import { ledgerName } from '../../release/record/names.ts';
import type { EndpointSlice, Pod, Service } from '../../release/record/kube-objects.ts';
import type { Observed } from '../../release/state/observed.ts';
import { isHandedOver, isOurs } from '../../release/record/ownership.ts';
import {
  imagesToResolve,
  knownPins,
  parseLedger,
  parseRevision,
  templateImages,
} from '../../release/record/revision.ts';
import { readSpec } from '../../release/state/valid-spec.ts';
import { FORMER_INDEX, NAMESPACE_INDEX, RELEASE_INDEX } from '../kinds/indexes.ts';
import type { ReleaseMemory } from './memory.ts';
import { forgetGone, expire } from './memory.ts';
import { toCachedService, SERVICES } from '../kinds/services.ts';
import type { ReconcileContext } from './context.ts';

/** What is asked of the room on VMs. */
export type RoomLook = Pick<Observed, 'rooms' | 'countRoom' | 'others'>;

export async function observe(
  context: ReconcileContext,
  release: AppRelease,
  memory: ReleaseMemory,
  now: number,
  room: RoomLook = {},
): Promise<Observed> {
  const foreignServices = await readForeign(context, release.metadata.namespace, memory);
  return { ...observeCached(context, release, memory, now, room), foreignServices };
}

/** What the caches alone show. */
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
  const foreignBudgets = caches.budgets
    .byIndex(NAMESPACE_INDEX, namespace)
    .filter(({ metadata }) => metadata.labels?.[LABEL.release] !== name);
  const vmPools = caches.vmPools.list();
  const vms = caches.nodes.list();
  const tracks = new Map(pods.map(({ metadata }) => [metadata.name, metadata.labels?.[LABEL.track]]));
  const slicesOf = Map.groupBy(slices, (slice) => slice.service);
  for (const service of services) noteClean(memory, service, slicesOf.get(service.metadata.name) ?? [], tracks, now);
  const deployments = caches.deployments.byIndex(RELEASE_INDEX, key);
  forgetGone(
    memory,
    namesOf({
      Deployment: deployments,
      Service: services,
      HorizontalPodAutoscaler: autoscalers,
      // One of ours may have lost its label.
      PodDisruptionBudget: [...budgets, ...foreignBudgets],
    }),
  );
  noteLeft(memory, slices, pods, now);
  const { metadata: owner } = release;
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
    ...askRegistry(context, release, { revisions, vmPools, vms }),
    otherServices: caches.services
      .byIndex(FORMER_INDEX, namespace)
      .filter(({ metadata }) => metadata.labels?.[LABEL.release] !== name),
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

/** A name is ours by now, whoever made the object: another leader may have. */
function forgetTaken(
  { nameConflicts }: ReleaseMemory,
  kind: string,
  objects: readonly { metadata: ObjectMeta }[],
  owner: ObjectMeta,
): void {
  for (const object of objects)
    if (isOurs(object, owner) || isHandedOver(object, owner)) nameConflicts.delete(`${kind}/${object.metadata.name}`);
}

/**
 * What the resolver knows by now of the images that the spec names: those without a pin, and the pinned ones' tags. Of a
 * spec that is not valid nothing is asked.
 */
function askRegistry(
  context: ReconcileContext,
  release: AppRelease,
  seen: Pick<Observed, 'revisions' | 'vmPools' | 'vms'>,
): Pick<Observed, 'digests' | 'movedTags'> {
  const read = readSpec({ release, ...seen });
  if ('problem' in read) return { digests: {}, movedTags: [] };
  const { spec, version } = read;
  const { template } = spec;
  const revisions = seen.revisions.flatMap((object) => parseRevision(object) ?? []);
  const ledgerObject = seen.revisions.find(({ metadata }) => metadata.name === ledgerName(release.metadata.name));
  const { ledger } = parseLedger(ledgerObject);
  const images = imagesToResolve(spec, revisions, ledger);
  context.retainImages?.(release, templateImages(template), template);
  const pins = knownPins(version, revisions, ledger);
  return {
    digests: Object.fromEntries(images.map((image) => [image, context.lookupDigest(release, image, template)])),
    movedTags: templateImages(template).flatMap((image) => {
      const pinned = own(pins, image)?.digest;
      const digest = pinned && context.movedDigest?.(release, image, template, pinned);
      return digest ? [{ image, pinned, digest }] : [];
    }),
  };
}

/** Since when no endpoint of a Service names a pod of another track than the selected one. */
function noteClean(
  memory: ReleaseMemory,
  service: Service,
  slices: readonly EndpointSlice[],
  tracks: ReadonlyMap<string, string | undefined>,
  now: number,
): void {
  const { name } = service.metadata;
  const track = service.spec.selector?.[LABEL.track];
  const clean = slices.every(({ endpoints }) =>
    endpoints.every(({ pod }) => pod !== undefined && tracks.get(pod) === track),
  );
  const known = memory.drainedSince.get(name);
  // A switch and back again, seen as one: the slices may be those from before.
  const switchedAt = service.metadata.annotations?.[ANNOTATION.switchedAt];
  if (track === undefined || !clean) memory.drainedSince.delete(name);
  else if (known?.track !== track || known.switchedAt !== switchedAt)
    memory.drainedSince.set(name, { track, switchedAt, since: now });
}

/** A pool may have had another Service before: its clients need the time to leave, too. */
function noteLeft(
  { leftSince }: ReleaseMemory,
  slices: readonly EndpointSlice[],
  pods: readonly Pod[],
  now: number,
): void {
  const names = new Set(slices.flatMap(({ endpoints }) => endpoints.map(({ pod }) => pod)));
  const tracks = Map.groupBy(pods, ({ metadata }) => metadata.labels?.[LABEL.track] ?? '');
  for (const track of leftSince.keys()) if (!tracks.has(track)) leftSince.delete(track);
  for (const [track, own] of tracks) {
    if (own.some(({ metadata }) => names.has(metadata.name))) leftSince.set(track, Number.POSITIVE_INFINITY);
    else if (leftSince.get(track) === Number.POSITIVE_INFINITY) leftSince.set(track, now);
  }
}

/** The Services that stand where ours would. One that is gone frees the name. */
async function readForeign(context: ReconcileContext, namespace: string, memory: ReleaseMemory): Promise<Service[]> {
  const names = [...memory.nameConflicts.keys()].flatMap((key) =>
    key.startsWith('Service/') ? [key.slice('Service/'.length)] : [],
  );
  const found = await Promise.all(names.map((name) => readService(context, namespace, name)));
  names.forEach((name, index) => {
    if (found[index] === undefined) memory.nameConflicts.delete(`Service/${name}`);
  });
  return found.flatMap((service) => service ?? []);
}

export async function readService(
  context: ReconcileContext,
  namespace: string,
  name: string,
): Promise<Service | undefined> {
  const live = await getIfThere(context.client, SERVICES, { namespace, name });
  return live && toCachedService(live);
}
