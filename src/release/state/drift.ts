/** Whether a live object is as desired: compared are the fields that we own, as the API server stores them. Pure. */
import type { ObjectMeta } from '../../api/common.ts';
import type { Action } from '../record/actions.ts';
import type { FieldSet } from '../record/fields.ts';
import { pickFields } from '../record/fields.ts';
import { canonicalJson, shortHash } from '../../lib/canonical-json.ts';
import type { Desired } from '../record/kube-objects.ts';
import type { Memory, StoredForm } from './observed.ts';

/** As a cache keeps it. */
export interface LiveObject {
  metadata: ObjectMeta;
  spec?: unknown;
}

/**
 * - `Contested`: it differs, but somebody else keeps just this state otherwise.
 * - `Unknown`: it is not what was asked for word by word, and nobody knows what the API server makes of that.
 */
export type Drift = 'None' | 'Differs' | 'Contested' | 'Unknown';

/**
 * A desired state's identity, whatever version of the object it was made for. The scale is no part of it: whoever sets it
 * owns it, so that it never drifts.
 */
export function desiredHash(desired: Desired<unknown>): string {
  const { resourceVersion: _version, ...metadata } = desired.metadata;
  const { replicas: _replicas, ...spec } = desired.spec as { replicas?: number };
  return shortHash({ ...desired, metadata, spec });
}

/** What an object is remembered by. */
export function objectKey({ kind, metadata }: Desired<unknown>): string {
  return `${kind}/${metadata.name}`;
}

/** What the API server made of a desired state. `fields`: those that are ours by its answer. */
export function storedForm(desired: Desired<unknown>, answer: LiveObject, fields: FieldSet): StoredForm {
  const owned = withoutScale(fields);
  const replicas = replicasOf(desired);
  return {
    fields: owned,
    values: valuesOf(owned, answer),
    ...(replicas !== undefined && { scale: { asked: replicas, stored: replicasOf(answer) } }),
  };
}

/** Whether the fields that are ours have the stored values. */
export function hasStoredForm({ fields, values }: StoredForm, live: LiveObject): boolean {
  return valuesOf(fields, live) === values;
}

export function driftOf(memory: Memory, desired: Desired<unknown>, live: LiveObject): Drift {
  const object = objectKey(desired);
  const known = memory.stored.get(object);
  if (isScaledOtherwise(known?.form, desired, live)) return 'Differs';
  const hash = known && desiredHash(desired);
  if (known?.form && known.hash === hash) {
    if (hasStoredForm(known.form, live)) return 'None';
    return memory.contested.get(object)?.hash === hash ? 'Contested' : 'Differs';
  }
  if (isAsAsked(desired, live)) return 'None';
  // Where another state was applied before, this one is new, and its own apply is the question.
  return known !== undefined || leadsElsewhere(desired, live) ? 'Differs' : 'Unknown';
}

/** A selector is stored as it is sent, so that what a Service leads to waits for no answer. */
function leadsElsewhere(desired: Desired<unknown>, live: LiveObject): boolean {
  function selectorOf({ spec }: { spec?: unknown }): string {
    return canonicalJson((spec as { selector?: object } | undefined)?.selector);
  }
  return desired.kind === 'Service' && selectorOf(desired) !== selectorOf(live);
}

/** Whether a write waits for the answer where it is unknown whether anything differs, and gives way where it is contested. */
export type Haste = 'AskFirst' | 'AtOnce' | 'WhateverOthersDo';

/** The write that a live object needs, if any; or first the question. */
export function putRight(
  memory: Memory,
  desired: Desired<unknown>,
  live: LiveObject,
  write: Action,
  haste: Haste = 'AskFirst',
): Action[] {
  const drift = driftOf(memory, desired, live);
  if (drift === 'None' || (drift === 'Contested' && haste !== 'WhateverOthersDo')) return [];
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

function replicasOf({ spec }: { spec?: unknown }): number | undefined {
  return (spec as { replicas?: number } | undefined)?.replicas;
}

/** Not where an admission policy makes just this size of the one that is asked for. */
function isScaledOtherwise(form: StoredForm | undefined, desired: Desired<unknown>, live: LiveObject): boolean {
  const [asked, has] = [replicasOf(desired), replicasOf(live)];
  return asked !== undefined && asked !== has && !(form?.scale?.asked === asked && form.scale.stored === has);
}

/**
 * Whether a live object has all that is asked for, word by word: then no answer is needed. What the API server defaults
 * and what others add is theirs.
 */
function isAsAsked(desired: Desired<unknown>, live: LiveObject): boolean {
  const { resourceVersion: _version, ownerReferences = [], ...metadata } = desired.metadata;
  const owners = live.metadata.ownerReferences ?? [];
  if (!ownerReferences.every((own) => owners.some((owner) => isSubset(own, owner)))) return false;
  return isSubset({ metadata, spec: desired.spec }, live);
}

/** Maps that are one field for the API server: a key more is another value. */
const ATOMIC = new Set(['selector', 'nodeSelector']);

/** Numbers that the API server does not store where they are zero. */
const ABSENT_AT_ZERO = new Set(['minReadySeconds']);

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
      if (has === undefined && value === 0 && ABSENT_AT_ZERO.has(key)) return true;
      return isSubset(value, has) && (!ATOMIC.has(key) || sizeOf(value) === sizeOf(has));
    });
  }
  return part === whole;
}

function sizeOf(value: unknown): number {
  return Object.keys(value ?? {}).length;
}
