/** What the Gateways of a route say about it. Pure. */
import type { ParentRef } from '../../api/route.ts';
import type { Route, RouteParent } from '../record/kube-objects.ts';

/** `said`: the parent's own reason and message. */
export type Acceptance =
  { state: 'Accepted' } | { state: 'Waiting'; message: string } | { state: 'NotAccepted'; message: string };

/** The conditions that a parent must report as True. */
const NEEDED = ['Accepted', 'ResolvedRefs'] as const;

/** Whether every parentRef has an entry of its own in the status with both conditions True at this generation. */
export function acceptanceOf(route: Route): Acceptance {
  const { metadata, spec } = route;
  for (const ref of spec.parentRefs ?? []) {
    const { all, current } = entriesOf(route, ref);
    const name = describeParent(ref, metadata.namespace);
    if (current.length === 0) {
      const what = all.length > 0 ? 'has not seen the last change of the route' : 'has not answered';
      return { state: 'Waiting', message: `${name} ${what}: check that it exists and that its controller runs` };
    }
    if (current.some(isAccepted)) continue;
    const fault = current.flatMap(({ conditions }) => NEEDED.flatMap((type) => faultOf(conditions, type) ?? [])).at(0);
    return { state: 'NotAccepted', message: `${name} says ${fault ?? 'nothing'}` };
  }
  return { state: 'Accepted' };
}

/** Whether each Gateway that has ever answered has seen the last change of the route. */
export function isSeen(route: Route): boolean {
  return (route.spec.parentRefs ?? []).every((ref) => {
    const { all, current } = entriesOf(route, ref);
    return all.length === 0 || current.length > 0;
  });
}

/** Whether one parent has accepted the route at this generation. */
export function isAcceptedBy(route: Route, ref: ParentRef): boolean {
  return entriesOf(route, ref).current.some(isAccepted);
}

/** The answers of a parent, and those to the last change of the route. */
function entriesOf({ metadata, parents }: Route, ref: ParentRef): { all: RouteParent[]; current: RouteParent[] } {
  const all = parents.filter(({ parentRef }) => isSameParent(parentRef, ref, metadata.namespace));
  return { all, current: all.filter((entry) => isCurrent(entry, metadata.generation)) };
}

function isAccepted({ conditions }: RouteParent): boolean {
  return NEEDED.every((needed) => conditions.some(({ type, status }) => type === needed && status === 'True'));
}

function faultOf(conditions: RouteParent['conditions'], needed: string): string | undefined {
  const condition = conditions.find(({ type }) => type === needed);
  if (!condition) return `nothing about ${needed}`;
  if (condition.status === 'True') return undefined;
  return `${needed}=${condition.status} (${condition.reason ?? 'no reason'}): ${condition.message ?? ''}`;
}

/** Whether the conditions are about this generation of the route. */
function isCurrent({ conditions }: RouteParent, generation = 0): boolean {
  const needed = conditions.filter(({ type }) => NEEDED.some((one) => one === type));
  return needed.length > 0 && needed.every(({ observedGeneration = generation }) => observedGeneration >= generation);
}

/** Whether two references name the same parent. `namespace`: that of the route. */
export function isSameParent(one: ParentRef, other: ParentRef, namespace: string): boolean {
  const [a, b] = [one, other].map((ref) => [
    ref.group ?? 'gateway.networking.k8s.io',
    ref.kind ?? 'Gateway',
    ref.namespace ?? namespace,
    ref.name,
    ref.sectionName ?? '',
    ref.port ?? 0,
  ]);
  return a?.join('/') === b?.join('/');
}

export function describeParent({ kind = 'Gateway', namespace, name, sectionName }: ParentRef, own: string): string {
  return `${kind} ${namespace ?? own}/${name}${sectionName === undefined ? '' : ` (${sectionName})`}`;
}
