/**
 * What admission adds to a pod: the overhead of its RuntimeClass, the defaults of LimitRanges, and changes of webhooks. It is
 * learned from a live pod of the same namespace. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import { parseResources } from './quantity.ts';
import type { RequestingPodSpec } from './requests.ts';

type Container = NonNullable<RequestingPodSpec['containers']>[number];
type ResourceList = NonNullable<NonNullable<Container['resources']>['requests']>;

/** A pod as it was admitted, and the template that it was made from. */
export interface Example {
  live: RequestingPodSpec;
  template: RequestingPodSpec;
}

/** The pod spec with what admission will add to it, as far as the example shows it. */
export function asAdmitted<Spec extends RequestingPodSpec>(spec: Spec, { live, template }: Example): Spec {
  const defaults = defaultsOf(template, live);
  const admit = (containers: readonly Container[]) =>
    containers.map((container) => admitContainer(container, { live, template }, defaults));
  const hasSameClass = spec.runtimeClassName === template.runtimeClassName;
  return {
    ...spec,
    ...(spec.containers && { containers: admit(spec.containers) }),
    ...(spec.initContainers && { initContainers: admit(spec.initContainers) }),
    ...(hasSameClass && live.overhead && { overhead: live.overhead }),
  };
}

function admitContainer(container: Container, { live, template }: Example, defaults: ResourceList): Container {
  const before = find(template, container.name);
  const admitted = find(live, container.name)?.resources;
  if (before && admitted && asksTheSame(before, container)) {
    return { ...container, resources: admitted };
  }
  const { requests, limits } = container.resources ?? {};
  // A missing request equals the limit.
  return { ...container, resources: { ...container.resources, requests: { ...defaults, ...limits, ...requests } } };
}

/** The API server stores amounts in another form. */
function asksTheSame(a: Container, b: Container): boolean {
  return (['requests', 'limits'] as const).every((which) =>
    isDeepStrictEqual(parseResources(a.resources?.[which]), parseResources(b.resources?.[which])),
  );
}

/** The requests that containers have without having asked for them. They are the same for all containers of a namespace. */
function defaultsOf(template: RequestingPodSpec, live: RequestingPodSpec): ResourceList {
  const defaults: Record<string, unknown> = {};
  for (const { name, resources } of containersOf(template)) {
    const asked = { ...resources?.limits, ...resources?.requests };
    const admitted = find(live, name)?.resources;
    for (const [resource, amount] of Object.entries({ ...admitted?.limits, ...admitted?.requests })) {
      if (!Object.hasOwn(asked, resource)) defaults[resource] = amount;
    }
  }
  return defaults;
}

function find(spec: RequestingPodSpec, name: string | undefined): Container | undefined {
  return containersOf(spec).find((container) => container.name === name);
}

function containersOf({ containers = [], initContainers = [] }: RequestingPodSpec): Container[] {
  return [...containers, ...initContainers];
}
