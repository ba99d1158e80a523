/** Applies actions, one function for each kind: all writes of a release besides its status and events. */
import type { AppRelease } from '../../api/app-release.ts';
import type { ObjectMeta } from '../../api/common.ts';
import { ANNOTATION, API_VERSION, FIELD_MANAGER, LABEL } from '../../api/meta.ts';
import type { KubeError } from '../../kube/errors.ts';
import { admissionProblem, isAlreadyExists, isNamespaceTerminating, isNotFound, isRefusal } from '../../kube/errors.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';
import { statusOf } from '../../kube/types.ts';
import type { Action, ApplyAction, DeleteAction, Target } from '../../release/record/actions.ts';
import { isApply, isDelete, ownedKind } from '../../release/record/actions.ts';
import { desiredHash, objectKey } from '../../release/state/drift.ts';
import type { DesiredAutoscaler, DesiredRoute } from '../../release/record/kube-objects.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { ownerReference } from '../../release/record/desired.ts';
import { refusalHash } from '../../release/route/desired-route.ts';
import type { Cache } from '../kinds/caches.ts';
import type { ReleaseMemory } from './memory.ts';
import { noteOverQuota } from './memory.ts';
import type { Scope } from './contact.ts';
import { forgetConflict, isStale, noteConflict } from './conflicts.ts';
import { findOut, makeNew, noteTaken } from './contact.ts';
import { applyOwned } from './server-side-apply.ts';
import { PROMOTIONS, ROLLBACKS } from '../kinds/api-kinds.ts';
import { accessTo } from '../kinds/owned.ts';
import { PODS } from '../kinds/pods.ts';
import { REVISIONS } from '../kinds/revisions.ts';
import { askStored } from './stored-forms.ts';
import { dryRun } from './dry-run.ts';
import { admissionTrouble, causesOf } from './trouble.ts';
import type { ReconcileContext } from './context.ts';
import { applyService, assertGuard } from './traffic.ts';
import { watchWrites } from './watch-writes.ts';

type Of<Kind extends Action['kind']> = Extract<Action, { kind: Kind }>;

/**
 * Applies one action. Rejects with the API server's error; a conflict means that the plan was made on stale data. An action
 * that wrote nothing, such as the creation of an object whose name is taken, has no line at level info and no event.
 */
export async function applyAction(
  context: ReconcileContext,
  release: AppRelease,
  memory: ReleaseMemory,
  action: Action,
): Promise<void> {
  const { client, hasWritten } = watchWrites(context.client);
  const scope = { context: { ...context, client }, release, memory };
  try {
    await write(scope, action);
    forgetConflict(scope, action);
  } catch (error) {
    if (isNamespaceTerminating(error)) memory.terminating = context.now();
    if (isStale(error)) await noteConflict(scope, action);
    throw error;
  }
  context.log(hasWritten() ? 'info' : 'debug', { action: action.kind }, action.message);
  if (!hasWritten()) return;
  for (const notice of action.notices ?? []) context.record(release, notice);
}

async function write(scope: Scope, action: Action): Promise<void> {
  const { context } = scope;
  context.assertLeading();
  if (isApply(action)) {
    await applyObject(scope, action);
    return;
  }
  if (isDelete(action)) {
    await deleteObject(scope, action);
    return;
  }
  switch (action.kind) {
    case 'DryRun':
      await dryRun(scope, action);
      break;
    case 'DryRunApply':
      await askStored(scope, action.desired);
      break;
    case 'CreateRevision':
      await createRevision(scope, action.name, action.annotations, action.number, action.data);
      break;
    case 'CreateLedger':
      await createRevision(scope, action.name, action.annotations, 0, {});
      break;
    case 'AnnotateRevision':
      await annotateRevision(scope, action);
      break;
    case 'FindLost':
      await findLost(scope, action);
      break;
    case 'OwnRevision':
      await ownRevision(scope, action.target);
      break;
    case 'AnnotatePod':
      await annotatePod(context, scope.release.metadata.namespace, action);
      break;
    case 'CreatePull':
      await makeNew(scope, { resource: PODS, cache: context.caches.pods, name: action.pod.metadata.name }, action.pod);
      break;
    case 'CreateRollback':
      await createRollback(scope, action);
      break;
    case 'PatchRollback':
      await patchStatus(scope, ROLLBACKS, context.caches.rollbacks, action);
      break;
    case 'KeepAnswer':
      await (action.of === 'ReleaseRollback'
        ? keepAnswer(scope, ROLLBACKS, context.caches.rollbacks, action)
        : keepAnswer(scope, PROMOTIONS, context.caches.promotions, action));
      break;
    case 'PatchPromotion':
      await patchStatus(scope, PROMOTIONS, context.caches.promotions, action);
      break;
    default:
      action satisfies never;
  }
}

async function createRevision(
  scope: Scope,
  name: string,
  annotations: Record<string, string>,
  revision: number,
  data: object,
): Promise<void> {
  const { context, release } = scope;
  const { namespace } = release.metadata;
  await makeNew(
    scope,
    { resource: REVISIONS, cache: context.caches.revisions, name },
    {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name,
        namespace,
        labels: { [LABEL.release]: release.metadata.name, [LABEL.managedBy]: 'apprelease' },
        annotations,
        ownerReferences: [ownerReference(release.metadata)],
      },
      revision,
      data: inOrder(data),
    },
  );
}

async function findLost(scope: Scope, { object, name }: Of<'FindLost'>): Promise<void> {
  const { context, memory, release } = scope;
  const subject = { ...accessTo(context.caches, object), name };
  const { found } = await findOut(scope, subject);
  if (found === 'Ours' && subject.cache.get(release.metadata.namespace, name)) memory.lost.delete(`${object}/${name}`);
  else memory.lost.set(`${object}/${name}`, context.now());
}

/** Sorts keys like Kubernetes, which refuses a patch of a ControllerRevision whose data it would serialize differently. */
function inOrder(data: object): object {
  return JSON.parse(canonicalJson(data)) as object;
}

async function annotateRevision(
  { context, release }: Scope,
  { target, annotations }: Of<'AnnotateRevision'>,
): Promise<void> {
  const body = { metadata: { resourceVersion: target.resourceVersion, annotations } };
  const key = { namespace: release.metadata.namespace, name: target.name };
  const patched = await context.client.patch(REVISIONS, key, { type: 'merge', body }, { fieldManager: FIELD_MANAGER });
  context.caches.revisions.observeWrite(patched);
}

/** Names the uid and no resourceVersion, which changes with each status of the kubelet. */
export async function annotatePod(
  { client, caches }: Pick<ReconcileContext, 'client' | 'caches'>,
  namespace: string,
  { target, annotations }: Of<'AnnotatePod'>,
): Promise<void> {
  const { name, uid } = target;
  const body = { metadata: { uid, annotations } };
  const patched = await client.patch(
    PODS,
    { namespace, name },
    { type: 'merge', body },
    { fieldManager: FIELD_MANAGER },
  );
  caches.pods.observeWrite(patched);
}

async function ownRevision({ context, release }: Scope, { name, resourceVersion }: Target): Promise<void> {
  const { namespace } = release.metadata;
  const others = context.caches.revisions.get(namespace, name)?.metadata.ownerReferences ?? [];
  const body = { metadata: { resourceVersion, ownerReferences: [...others, ownerReference(release.metadata)] } };
  const key = { namespace, name };
  const patched = await context.client.patch(REVISIONS, key, { type: 'merge', body }, { fieldManager: FIELD_MANAGER });
  context.caches.revisions.observeWrite(patched);
}

async function applyObject(scope: Scope, action: ApplyAction): Promise<void> {
  if (action.guard) await assertGuard(scope, action.guard);
  switch (action.kind) {
    case 'ApplyService':
      await applyService(scope, action);
      break;
    case 'ApplyDeployment':
      await applyDeployment(scope, action);
      break;
    case 'ApplyAutoscaler':
    case 'ApplyHTTPRoute':
    case 'ApplyGRPCRoute':
      await applyRefusable(scope, action);
      break;
    default:
      await applyOwned(scope, action.desired, action.force);
  }
}

/** Notes a quota that is full: a standby may yield. */
async function applyDeployment(scope: Scope, { desired, force }: Of<'ApplyDeployment'>): Promise<void> {
  const { context, memory } = scope;
  const { name } = desired.metadata;
  try {
    await applyOwned(scope, desired, force);
    memory.overQuota.delete(name);
  } catch (error) {
    if (admissionProblem(error) === 'QuotaExceeded') noteOverQuota(memory, name, context.now());
    throw error;
  }
}

type Refusable = Of<'ApplyAutoscaler' | 'ApplyHTTPRoute' | 'ApplyGRPCRoute'>;

/** A refused object is reported in a condition; the other actions of the release go on. */
async function applyRefusable(scope: Scope, action: Refusable): Promise<void> {
  const { context, memory } = scope;
  const { desired, force } = action;
  const object = objectKey(desired);
  try {
    await applyOwned(scope, desired, force);
    memory.refused.delete(object);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const refused =
      action.kind === 'ApplyAutoscaler'
        ? refusedAutoscaler(action.desired, error)
        : refusedRoute(action.desired, error);
    memory.refused.set(object, { ...refused, at: context.now() });
  }
}

function refusedAutoscaler(desired: DesiredAutoscaler, error: KubeError) {
  const pool = desired.metadata.labels?.[LABEL.pool] ?? '';
  const message = `Kubernetes refuses the autoscaling of pool ${pool}: ${causesOf(error)}. Correct it in spec.stages; the running pods stay as they are`;
  const stopped = admissionTrouble(error, `the autoscaling of pool ${pool}`);
  return {
    hash: desiredHash(desired),
    ...(stopped ?? { reason: 'Refused' as const, message: message.slice(0, 2000) }),
  };
}

function refusedRoute(desired: DesiredRoute, error: KubeError) {
  const message = `Kubernetes refuses the route: ${causesOf(error)}. Correct spec.route; the traffic stays as it is`;
  const stopped = admissionTrouble(error, 'spec.route');
  return {
    hash: refusalHash(desired),
    ...(stopped ?? { reason: 'RouteRejected' as const, message: message.slice(0, 2000) }),
  };
}

async function deleteObject(scope: Scope, action: DeleteAction): Promise<void> {
  const { context, memory, release } = scope;
  const { name, uid, resourceVersion } = action.target;
  const kind = ownedKind(action);
  const { resource, cache } = accessTo(context.caches, kind);
  const key = { namespace: release.metadata.namespace, name };
  if (action.guard) await assertGuard(scope, action.guard);
  // The labels of its pods still name the Deployment for a while: without this entry it would be looked for.
  if (kind === 'Deployment') {
    memory.lost.set(`${kind}/${name}`, context.now());
    memory.overQuota.clear();
  }
  try {
    const preconditions = { uid, resourceVersion };
    const left = await context.client.delete(resource, key, { preconditions, propagationPolicy: 'Background' });
    if (left) cache.observeWrite(left);
    else cache.observeDelete({ metadata: { ...key, uid, resourceVersion } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    cache.observeDelete({ metadata: { ...key, uid, resourceVersion } });
  }
}

async function createRollback(scope: Scope, { name, spec }: Of<'CreateRollback'>): Promise<void> {
  const { context, release } = scope;
  const { rollbacks } = context.caches;
  const { name: owner, namespace, uid } = release.metadata;
  try {
    const created = await context.client.create(
      ROLLBACKS,
      {
        apiVersion: API_VERSION,
        kind: 'ReleaseRollback',
        metadata: {
          name,
          namespace,
          labels: { [LABEL.managedBy]: 'apprelease' },
          ownerReferences: [{ apiVersion: API_VERSION, kind: 'AppRelease', name: owner, uid }],
        },
        spec,
      },
      { fieldManager: FIELD_MANAGER },
    );
    rollbacks.observeWrite(created);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    const live = await context.client.get(ROLLBACKS, { namespace, name });
    rollbacks.observeWrite(live);
    // A rollback with this name that names the release counts as the automatic one, whoever created it.
    if (live.spec.release === owner) return;
    const message = `ReleaseRollback ${name} belongs to AppRelease ${live.spec.release}: the automatic rollback gets another name`;
    noteTaken(scope, 'ReleaseRollback', message, name);
  }
}

/** An owner reference that is no controller: the object is the user's, and is deleted with the release. */
async function keepAnswer<T extends KubeObject, S extends { metadata: ObjectMeta }>(
  { context, release }: Scope,
  resource: Resource<T>,
  cache: Cache<S>,
  { target, answer, own }: Of<'KeepAnswer'>,
): Promise<void> {
  const { name, namespace, uid } = release.metadata;
  const key = { namespace, name: target.name };
  const owners = cache.get(namespace, target.name)?.metadata.ownerReferences ?? [];
  const metadata = {
    resourceVersion: target.resourceVersion,
    annotations: { [ANNOTATION.answer]: answer },
    ...(own && { ownerReferences: [...owners, { apiVersion: API_VERSION, kind: 'AppRelease', name, uid }] }),
  };
  const body = { metadata };
  cache.observeWrite(
    await context.client.patch(resource, key, { type: 'merge', body }, { fieldManager: FIELD_MANAGER }),
  );
}

async function patchStatus<T extends KubeObject, S>(
  { context, release }: Scope,
  resource: Resource<T>,
  cache: Cache<S>,
  { target, status }: { target: Target; status: object },
): Promise<void> {
  const key = { namespace: release.metadata.namespace, name: target.name };
  const patched = await context.client.patch(
    statusOf(resource),
    key,
    {
      type: 'json',
      operations: [
        { op: 'test', path: '/metadata/uid', value: target.uid },
        { op: 'replace', path: '/metadata/resourceVersion', value: target.resourceVersion },
        { op: 'add', path: '/status', value: status },
      ],
    },
    { fieldManager: FIELD_MANAGER },
  );
  cache.observeWrite(patched);
}
