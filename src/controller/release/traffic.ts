/** Reads and writes the Services that lead the traffic of a release. */
import type { AppRelease } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { FIELD_MANAGER } from '../../api/meta.ts';
import { getIfThere, listAll } from '../../kube/client.ts';
import { isInvalid, isNotFound } from '../../kube/errors.ts';
import type { JsonPatchOperation } from '../../kube/types.ts';
import type { Action, Guard, Target } from '../../release/record/actions.ts';
import type { DesiredService, Route, Service } from '../../release/record/kube-objects.ts';
import { selectedTrack } from '../../release/traffic/service.ts';
import { DEPLOYMENTS } from '../kinds/deployments.ts';
import { GRPC_ROUTES, HTTP_ROUTES, toCachedRoute } from '../kinds/routes.ts';
import { SERVICES, toCachedService } from '../kinds/services.ts';
import type { Scope } from './contact.ts';
import { conflict, findOut } from './contact.ts';
import type { ReconcileContext } from './context.ts';
import type { ReleaseMemory } from './memory.ts';
import { applyOwned, liveObject } from './server-side-apply.ts';

/** Reads the pool's Services from the API server: a Deployment that one selects is not removed or scaled down. */
export async function assertGuard({ context, release }: Scope, { services, track }: Guard): Promise<void> {
  const assertOne = async ({ name, resourceVersion }: Guard['services'][number]) => {
    const service = await readService(context, release.metadata.namespace, name);
    if (!service) return;
    const isAsPlanned = service.metadata.resourceVersion === resourceVersion;
    if (isAsPlanned && selectedTrack(service) !== track) return;
    throw conflict(name, `Service ${name} ${isAsPlanned ? `selects ${track}` : 'has changed'}`);
  };
  await Promise.all(services.map(assertOne));
}

/**
 * Server-side apply keeps ports that others added. With a further port, a port without a name makes the Service invalid, and
 * every apply fails. Then one patch replaces selector and ports as a whole.
 */
export async function applyService(
  scope: Scope,
  { desired: service, force, leadsTo = [], takesTrafficBack }: Extract<Action, { kind: 'ApplyService' }>,
): Promise<void> {
  if (!takesTrafficBack || scope.context.leadsAnew?.())
    await Promise.all(leadsTo.map((target) => assertExists(scope, target)));
  const before = liveObject(scope, service);
  try {
    await applyOwned(scope, service, force);
  } catch (error) {
    if (!force || !isInvalid(error) || !service.spec.ports) throw error;
    const { resourceVersion } = await replaceTraffic(scope, service);
    const applied = { ...service, metadata: { ...service.metadata, resourceVersion } };
    await applyOwned(scope, applied, force, before);
  }
}

async function assertExists(scope: Scope, { name, uid }: Target): Promise<void> {
  const { found, live } = await findOut(scope, {
    resource: DEPLOYMENTS,
    cache: scope.context.caches.deployments,
    name,
  });
  if (found !== 'Ours' || live?.metadata.uid !== uid) throw conflict(name, `Deployment ${name} is gone`);
}

async function replaceTraffic({ context }: Scope, { metadata, spec }: DesiredService): Promise<ObjectMeta> {
  const { namespace, name, resourceVersion } = metadata;
  const live = context.caches.services.get(namespace, name)?.spec.ports ?? [];
  const ports = (spec.ports ?? []).map((port) => {
    const same = live.find((candidate) => candidate.port === port.port && candidate.protocol === port.protocol);
    return { ...(same?.nodePort !== undefined && { nodePort: same.nodePort }), ...port };
  });
  const operations: JsonPatchOperation[] = [
    { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
    { op: 'replace', path: '/spec/selector', value: spec.selector },
    { op: 'replace', path: '/spec/ports', value: ports },
  ];
  const patch = { type: 'json' as const, operations };
  const replaced = await context.client.patch(SERVICES, { namespace, name }, patch, { fieldManager: FIELD_MANAGER });
  context.caches.services.observeWrite(replaced);
  return replaced.metadata as ObjectMeta;
}

/** Reads the Services whose names conflict with those of the release, and forgets the conflicts of deleted ones. */
export async function readForeignServices(
  context: ReconcileContext,
  namespace: string,
  memory: ReleaseMemory,
): Promise<Service[]> {
  const names = [...memory.nameConflicts.keys()].flatMap((key) =>
    key.startsWith('Service/') ? [key.slice('Service/'.length)] : [],
  );
  const found = await Promise.all(names.map((name) => readService(context, namespace, name)));
  names.forEach((name, index) => {
    if (found[index] === undefined) memory.nameConflicts.delete(`Service/${name}`);
  });
  return found.flatMap((service) => service ?? []);
}

async function readService(context: ReconcileContext, namespace: string, name: string): Promise<Service | undefined> {
  const live = await getIfThere(context.client, SERVICES, { namespace, name });
  return live && toCachedService(live);
}

/** The routes of all namespaces, or of the release's if the operator sees no others. */
export async function readRoutes(context: ReconcileContext, { metadata }: AppRelease): Promise<Route[]> {
  const selection = { limit: 500, ...(!context.seesAllPods && { namespace: metadata.namespace }) };
  const lists = await Promise.all(
    [HTTP_ROUTES, GRPC_ROUTES].map(async (resource) => {
      try {
        return (await listAll(context.client, resource, selection)).items.map(toCachedRoute);
      } catch (error) {
        if (isNotFound(error)) return [];
        throw error;
      }
    }),
  );
  return lists.flat();
}
