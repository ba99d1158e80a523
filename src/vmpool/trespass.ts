/** Pods on the VMs of a pool whose namespaces are none of its tenants. Pure. */
import type { Tenants } from '../api/vm-pool.ts';
import { own } from '../lib/own.ts';
import type { PlacedPod } from '../scheduling/objects.ts';

export interface Neighbours {
  /** The labels of a namespace; undefined if it is not known. */
  labelsOf: (namespace: string) => Readonly<Record<string, string>> | undefined;
  /** Namespaces whose pods may run on every VM. */
  system: readonly string[];
}

/** The pods that the policy in manifests/policies/tenants.yaml would refuse now, because of their namespace. */
export function trespassers(
  tenants: Tenants | undefined,
  pods: readonly PlacedPod[],
  { labelsOf, system }: Neighbours,
): PlacedPod[] {
  if (!tenants) return [];
  const isIn = new Map<string, boolean>();
  return pods.filter(({ metadata: { namespace } }) => {
    const known =
      isIn.get(namespace) ?? (system.includes(namespace) || isTenant(tenants, namespace, labelsOf(namespace)));
    isIn.set(namespace, known);
    return !known;
  });
}

/** A namespace that is not known yet gets the benefit of the doubt: its labels may select it. */
function isTenant(
  { namespaces = [], namespaceSelector }: Tenants,
  namespace: string,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (namespaces.includes(namespace)) return true;
  if (!namespaceSelector) return false;
  if (!labels) return true;
  const { matchLabels = {}, matchExpressions = [] } = namespaceSelector;
  return (
    Object.entries(matchLabels).every(([key, value]) => own(labels, key) === value) &&
    matchExpressions.every((expression) => meets(own(labels, expression.key), expression))
  );
}

type Expression = NonNullable<NonNullable<Tenants['namespaceSelector']>['matchExpressions']>[number];

/** As in the policy, In and NotIn without values select nothing. */
function meets(value: string | undefined, { operator, values = [] }: Expression): boolean {
  const isListed = value !== undefined && values.includes(value);
  switch (operator) {
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'In':
      return isListed;
    case 'NotIn':
      return values.length > 0 && !isListed;
  }
}
