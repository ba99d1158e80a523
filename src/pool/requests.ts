/** What a pod asks of a node, by the scheduler's own rules. Pure. */
import type { Resources } from './quantity.ts';
import { addResources, maxResources, parseResources } from './quantity.ts';

type ResourceList = Readonly<Record<string, unknown>>;

interface WireResources {
  requests?: ResourceList;
  limits?: ResourceList;
}

interface WireContainer {
  resources?: WireResources;
  restartPolicy?: string;
}

/** The part of a core/v1 PodSpec that counts. */
export interface RequestingPodSpec {
  containers?: WireContainer[];
  initContainers?: WireContainer[];
  overhead?: ResourceList;
  resources?: WireResources;
}

/** The resources that a pod may be given as a whole (KEP-2837). */
const POD_LEVEL = /^(cpu|memory|hugepages-.*)$/;

/**
 * The scheduler's sum (PodRequests of k8s.io/component-helpers): containers and sidecars together, or the init container
 * that asks for most beside the sidecars started before it (KEP-753); what the pod itself asks for in their stead; and
 * the overhead of its runtime class (KEP-688). A request that is missing is its limit, as the API server defaults it.
 */
export function podRequests(spec: RequestingPodSpec): Resources {
  return podSum(spec, 'requests');
}

/** The same of the limits; where one container has none, the sum says what the others are bound to. */
export function podLimits(spec: RequestingPodSpec): Resources {
  return podSum(spec, 'limits');
}

function podSum(spec: RequestingPodSpec, which: 'requests' | 'limits'): Resources {
  const { containers = [], initContainers = [], overhead, resources } = spec;
  let sidecars: Resources = {};
  let starting: Resources = {};
  for (const container of initContainers) {
    const own = containerSum(container.resources, which);
    if (container.restartPolicy === 'Always') {
      sidecars = addResources(sidecars, own);
      starting = maxResources(starting, sidecars);
    } else {
      starting = maxResources(starting, addResources(sidecars, own));
    }
  }
  const running = addResources(sidecars, ...containers.map((container) => containerSum(container.resources, which)));
  const pod = Object.fromEntries(
    Object.entries(containerSum(resources, which)).filter(([name]) => POD_LEVEL.test(name)),
  );
  const asked = { ...maxResources(running, starting), ...pod };
  return addResources(asked, parseResources(overhead));
}

function containerSum(resources: WireResources | undefined, which: 'requests' | 'limits'): Resources {
  const limits = parseResources(resources?.limits);
  return which === 'limits' ? limits : { ...limits, ...parseResources(resources?.requests) };
}
