/** Compares a live object with its desired state: the fields that the operator owns, as the API server stores them. Pure. */
import type { ObjectMeta } from '../../api/common.ts';
import type { Action } from '../record/actions.ts';
import type { FieldSet } from '../record/fields.ts';
import { pickFields } from '../record/fields.ts';
import { canonicalJson, shortHash } from '../../lib/canonical-json.ts';
import type { DesiredObject } from '../record/kube-objects.ts';
import { contentOf } from '../record/kube-objects.ts';
import { hasOtherKeys } from '../record/workload-metadata.ts';
import type { Memory, StoredForm } from './observed.ts';

/** An object as the cache keeps it: the fields that the operator owns of it are here by the same names. */
export interface LiveObject {
  metadata: ObjectMeta;
  spec?: unknown;
}

/**
 * - `Contested`: the object differs, and another manager keeps changing this desired state.
 * - `Unknown`: the object is not literally the desired state, and it is not known how the API server stores that state.
 */
export type Drift = 'None' | 'Differs' | 'Contested' | 'Unknown';

/**
 * The hash of a desired state, without resourceVersion and spec.replicas. The manager that sets the scale owns it, so the
 * scale never drifts.
 */
export function desiredHash(desired: DesiredObject): string {
  const { resourceVersion: _version, ...metadata } = desired.metadata;
  const { spec } = desired as { spec?: { replicas?: number } };
  const { replicas: _replicas, ...sized } = spec ?? {};
  return shortHash({ ...desired, metadata, ...(spec && { spec: sized }) });
}

/** The key of an object in `Memory`: kind/name. */
export function objectKey({ kind, metadata }: DesiredObject): string {
  return `${kind}/${metadata.name}`;
}

/** How the API server stores a desired state. `fields`: the fields that the operator owns according to the answer. */
export function storedForm(desired: DesiredObject, answer: LiveObject, fields: FieldSet): StoredForm {
  const owned = withoutScale(fields);
  const replicas = replicasOf(desired);
  return {
    fields: owned,
    values: valuesOf(owned, answer),
    ...(replicas !== undefined && { scale: { asked: replicas, stored: replicasOf(answer) } }),
  };
}

/** Whether the fields that the operator owns have the stored values. */
export function hasStoredForm({ fields, values }: StoredForm, live: LiveObject): boolean {
  return valuesOf(fields, live) === values;
}

export function driftOf(memory: Memory, desired: DesiredObject, live: LiveObject): Drift {
  const object = objectKey(desired);
  const known = memory.stored.get(object);
  if (isScaledOtherwise(known?.form, desired, live)) return 'Differs';
  const hash = known && desiredHash(desired);
  if (known?.form && known.hash === hash) {
    if (hasStoredForm(known.form, live)) return 'None';
    return memory.contested.get(object)?.hash === hash ? 'Contested' : 'Differs';
  }
  if (isAsAsked(desired, live)) return 'None';
  if (hasOtherKeys(desired, live)) return 'Differs';
  // Another desired state was applied before. The new one is applied without asking first.
  return known !== undefined || leadsElsewhere(desired, live) ? 'Differs' : 'Unknown';
}

/** The API server stores a selector as it was sent, so a changed selector needs no dry run. */
function leadsElsewhere(desired: DesiredObject, live: LiveObject): boolean {
  function selectorOf({ spec }: { spec?: unknown }): string {
    return canonicalJson((spec as { selector?: object } | undefined)?.selector);
  }
  return desired.kind === 'Service' && selectorOf(desired) !== selectorOf(live);
}

/**
 * - `AskFirst`: a dry run comes first if the drift is unknown, and a contested object is not written.
 * - `AtOnce`: the object is written if the drift is unknown. A contested object is not written.
 * - `WhateverOthersDo`: the object is written even if it is contested.
 */
export type Haste = 'AskFirst' | 'AtOnce' | 'WhateverOthersDo';

/** The write that a live object needs, or the dry run that comes first. */
export function putRight(
  memory: Memory,
  desired: DesiredObject,
  live: LiveObject,
  write: Action,
  haste: Haste = 'AskFirst',
): Action[] {
  const drift = driftOf(memory, desired, live);
  if (drift === 'None') return [];
  if (drift === 'Contested' && haste !== 'WhateverOthersDo' && !isSelectorDue(memory, desired, live)) return [];
  if (drift !== 'Unknown' || haste !== 'AskFirst') return [write];
  const message = `ask the API server how it stores ${desired.kind} ${desired.metadata.name}`;
  return [{ kind: 'DryRunApply', message, desired }];
}

function valuesOf(fields: FieldSet, object: LiveObject): string {
  return canonicalJson(pickFields(fields, object));
}

function withoutScale(fields: FieldSet): FieldSet {
  const { 'f:replicas': scale, ...spec } = fields['f:spec'] ?? {};
  return scale === undefined ? fields : { ...fields, 'f:spec': spec };
}

/** A selector decides whether clients are served: it is put back again and again, at a pace. */
function isSelectorDue({ paced }: Memory, desired: DesiredObject, live: LiveObject): boolean {
  return !paced.has(objectKey(desired)) && leadsElsewhere(desired, live);
}

function replicasOf({ spec }: { spec?: unknown }): number | undefined {
  return (spec as { replicas?: number } | undefined)?.replicas;
}

/** Whether the object needs another scale. An admission policy may store another size than the desired one. */
function isScaledOtherwise(form: StoredForm | undefined, desired: DesiredObject, live: LiveObject): boolean {
  const [asked, has] = [replicasOf(desired), replicasOf(live)];
  return asked !== undefined && asked !== has && !(form?.scale?.asked === asked && form.scale.stored === has);
}

/**
 * Whether a live object literally has the desired state, so that no dry run is needed. Defaults of the API server and fields
 * of other managers do not count.
 */
function isAsAsked(desired: DesiredObject, live: LiveObject): boolean {
  const { resourceVersion: _version, ownerReferences = [], ...metadata } = desired.metadata;
  const owners = live.metadata.ownerReferences ?? [];
  if (hasOtherKeys(desired, live)) return false;
  if (!ownerReferences.every((own) => owners.some((owner) => isSubset(own, owner)))) return false;
  return isSubset({ metadata, ...contentOf(desired) }, live);
}

/** Maps that the API server treats as one field: an additional key is another value. */
const ATOMIC = new Set(['selector', 'nodeSelector', 'labelSelector', 'namespaceSelector', 'podSelector']);

/** Fields that the API server does not store where they are zero or false. */
const ABSENT_AT_ZERO = new Set(['minReadySeconds', 'paused']);

function isSubset(part: unknown, whole: unknown): boolean {
  if (Array.isArray(part)) {
    if (whole === undefined) return part.length === 0;
    return (
      Array.isArray(whole) && part.length === whole.length && part.every((item, index) => isSubset(item, whole[index]))
    );
  }
  if (part !== null && typeof part === 'object') {
    if (whole === null || typeof whole !== 'object') return Object.keys(part).length === 0 && whole === undefined;
    return Object.entries(part).every(([key, value]) => {
      const has = (whole as Record<string, unknown>)[key];
      if (has === undefined && (value === 0 || value === false) && ABSENT_AT_ZERO.has(key)) return true;
      return ATOMIC.has(key) ? canonicalJson(value ?? {}) === canonicalJson(has ?? {}) : isSubset(value, has);
    });
  }
  return part === whole;
}
