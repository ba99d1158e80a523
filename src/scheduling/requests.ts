/** What a pod asks of a node, by the scheduler's own rules. Pure. */
import { own } from '../lib/own.ts';
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
  const asked = withPodLevel(maxResources(running, starting), resources, which);
  const added = Object.entries(parseResources(overhead)).filter(
    // What has no limit gets none by the runtime's share.
    ([name]) => which === 'requests' || own(asked, name) !== undefined,
  );
  return addResources(asked, Object.fromEntries(added));
}

/** What the pod itself names goes before its containers; where it has a limit alone, that only before nothing. */
function withPodLevel(containers: Resources, pod: WireResources | undefined, which: 'requests' | 'limits'): Resources {
  const limits = podLevel(pod?.limits);
  return which === 'limits' ? { ...containers, ...limits } : { ...limits, ...containers, ...podLevel(pod?.requests) };
}

function podLevel(list: ResourceList | undefined): Resources {
  return Object.fromEntries(Object.entries(parseResources(list)).filter(([name]) => POD_LEVEL.test(name)));
}

function containerSum(resources: WireResources | undefined, which: 'requests' | 'limits'): Resources {
  const limits = parseResources(resources?.limits);
  return which === 'limits' ? limits : { ...limits, ...parseResources(resources?.requests) };
}
