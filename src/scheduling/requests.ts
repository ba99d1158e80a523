/** Requests and limits of a pod, by the scheduler's own rules. Pure. */
import { own } from '../lib/own.ts';
import type { Resources } from './quantity.ts';
import { addResources, maxResources, parseResources } from './quantity.ts';

type ResourceList = Readonly<Record<string, unknown>>;

interface WireResources {
  requests?: ResourceList;
  limits?: ResourceList;
}

interface WireContainer {
  name?: string;
  resources?: WireResources;
  restartPolicy?: string;
}

/** The fields of a core/v1 PodSpec that count. */
export interface RequestingPodSpec {
  containers?: WireContainer[];
  initContainers?: WireContainer[];
  overhead?: ResourceList;
  resources?: WireResources;
  /** The overhead depends on it. */
  runtimeClassName?: string;
}

/** The resources that can be set for a whole pod (KEP-2837). */
const POD_LEVEL = /^(cpu|memory|hugepages-.*)$/;

/**
 * The scheduler's sum (PodRequests of k8s.io/component-helpers): the sum of containers and sidecars, or the largest init
 * container plus the sidecars started before it (KEP-753), whichever is larger; pod-level requests replace this sum; the
 * overhead of the runtime class (KEP-688) is added. A missing request equals the limit, as in the API server's defaults.
 */
export function podRequests(spec: RequestingPodSpec): Resources {
  return podSum(spec, 'requests');
}

/** The same for limits. If a container has no limit, the sum covers the other containers. */
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
    // The overhead of the runtime class does not add a limit to a pod without one.
    ([name]) => which === 'requests' || own(asked, name) !== undefined,
  );
  return addResources(asked, Object.fromEntries(added));
}

/** Pod-level requests replace those of the containers. A pod-level limit without a request counts only if the containers request nothing. */
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
