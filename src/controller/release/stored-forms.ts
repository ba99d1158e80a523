/** How the API server stores what is desired of an object: read from its answers to applies, or asked by a dry run. */
import { FIELD_MANAGER } from '../../api/meta.ts';
import type { KubeError } from '../../kube/errors.ts';
import { isConflict, isRefusal } from '../../kube/errors.ts';
import { appliedFields } from '../../kube/managed-fields.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { LiveObject } from '../../release/state/drift.ts';
import { desiredHash, hasStoredForm, objectKey, storedForm } from '../../release/state/drift.ts';
import type { FieldSet } from '../../release/record/fields.ts';
import type { Desired } from '../../release/record/kube-objects.ts';
import type { StoredForm } from '../../release/state/observed.ts';
import type { Cache, Caches } from '../kinds/caches.ts';
import type { Scope } from './contact.ts';
import { noteStored } from './memory.ts';
import { AUTOSCALERS, toCachedAutoscaler } from '../kinds/autoscalers.ts';
import { BUDGETS, toCachedBudget } from '../kinds/budgets.ts';
import { DEPLOYMENTS, toCachedDeployment } from '../kinds/deployments.ts';
import { toCachedService, SERVICES } from '../kinds/services.ts';

interface Kind {
  resource: Resource;
  cacheOf: (caches: Caches) => Cache<LiveObject>;
  /** What a cache keeps, so that an answer and a live object are compared in the same shape. */
  keep: (object: never) => LiveObject;
}

const KINDS: Readonly<Record<string, Kind>> = {
  Deployment: { resource: DEPLOYMENTS, cacheOf: ({ deployments }) => deployments, keep: toCachedDeployment },
  Service: { resource: SERVICES, cacheOf: ({ services }) => services, keep: toCachedService },
  HorizontalPodAutoscaler: {
    resource: AUTOSCALERS,
    cacheOf: ({ autoscalers }) => autoscalers,
    keep: toCachedAutoscaler,
  },
  PodDisruptionBudget: { resource: BUDGETS, cacheOf: ({ budgets }) => budgets, keep: toCachedBudget },
};

function kindOf({ kind }: Desired<unknown>): Kind {
  const known = KINDS[kind];
  if (!known) throw new Error(`no release owns a ${kind}`);
  return known;
}

/** What a cache keeps of an object that a release owns. */
export function keptOf(desired: Desired<unknown>, object: Live<KubeObject>): LiveObject {
  return kindOf(desired).keep(object as never);
}

/** What the API server made of a desired state, by its answer to an apply of it. */
export function formOf(desired: Desired<unknown>, answer: Live<KubeObject>): StoredForm {
  return storedForm(desired, keptOf(desired, answer), ownFields(answer));
}

/** Nothing at all where the answer names no field of ours. */
function ownFields({ metadata }: Live<KubeObject>): FieldSet {
  return (appliedFields(metadata.managedFields, FIELD_MANAGER) as FieldSet | undefined) ?? { '.': {} };
}

/** Not where what we made by POST and own by update is to be another now: that is a conflict with ourselves. */
function isTakenBy({ causes }: KubeError): boolean {
  return causes.some(({ message = '' }) => !message.startsWith(`conflict with "${FIELD_MANAGER}"`));
}

/** Nothing is stored but in memory: how the API server would store what is desired of an object that is there. */
export async function askStored({ context, memory }: Scope, desired: Desired<unknown>): Promise<void> {
  const { client, caches } = context;
  const { namespace, name, resourceVersion: _version, ...metadata } = desired.metadata;
  const { resource, cacheOf } = kindOf(desired);
  // Whatever the version, so that a status that was just written is no conflict.
  const asked = { ...desired, metadata: { namespace, name, ...metadata } };
  const [object, hash] = [objectKey(desired), desiredHash(desired)];

  async function tryApply(force: boolean): Promise<{ answer: Live<KubeObject>; isTaken: boolean }> {
    const how = { fieldManager: FIELD_MANAGER, force, dryRun: true };
    try {
      return { answer: await client.apply(resource, asked, how), isTaken: false };
    } catch (error) {
      if (force || !isConflict(error)) throw error;
      return { ...(await tryApply(true)), isTaken: isTakenBy(error) };
    }
  }

  try {
    const { answer, isTaken } = await tryApply(false);
    const form = formOf(desired, answer);
    const live = cacheOf(caches).get(namespace, name);
    // Or somebody has changed a field that was ours.
    noteStored(memory, object, { hash, form, held: isTaken || (live !== undefined && hasStoredForm(form, live)) });
  } catch (error) {
    // As by a webhook that takes no dry run.
    if (!isRefusal(error)) throw error;
    noteStored(memory, object, { hash, held: false });
  }
}
