/** Finds the field of a template that keeps new pods from starting beside the served pods, as BlueGreen needs. Pure. */
import type { PodTemplate } from '../../api/app-release.ts';
import { LABEL } from '../../api/meta.ts';
import type { StrategyType } from '../record/desired.ts';

type Spec = PodTemplate['spec'];

/** Where a pod is stuck: it has no VM, or it does not start on its VM. */
export type Stuck = 'Scheduling' | 'Starting';

interface Obstacle {
  at: Stuck;
  is: (spec: Spec) => boolean;
  what: string;
  wayOut: string;
}

const ROLLING = 'strategy RollingUpdate with maxSurge 0';
/** With RollingUpdate, new pods start beside the old ones only if ports and template change together. */
const PORTS_APART = 'one version that changes only the ports, and another that changes only the template';

const OBSTACLES: readonly Obstacle[] = [
  { at: 'Scheduling', is: takesHostPorts, what: 'a hostPort, which only one pod of a VM can use', wayOut: ROLLING },
  {
    at: 'Starting',
    is: mountsClaims,
    what: 'a PersistentVolumeClaim, which may admit the pods of one VM only',
    wayOut: ROLLING,
  },
  {
    at: 'Scheduling',
    is: avoidsItself,
    what: 'required anti-affinity, which may keep new pods off the VMs of the old ones',
    wayOut: `the pod label ${LABEL.revision} in the anti-affinity, or ${ROLLING}`,
  },
];

/** Why new pods of a template may wait for pods of the served version, which the roll-out keeps; and the way out. */
export function surgeObstacle(
  { spec }: PodTemplate,
  stuck: Stuck,
  strategy: StrategyType = 'BlueGreen',
): string | undefined {
  const found = OBSTACLES.find(({ at, is }) => at === stuck && is(spec));
  const wayOut = strategy === 'BlueGreen' ? found?.wayOut : PORTS_APART;
  return found && `the template has ${found.what}: use ${wayOut}`;
}

function takesHostPorts({ containers, hostNetwork }: Spec): boolean {
  return hostNetwork === true || containers.some(({ ports }) => ports?.some(({ hostPort }) => hostPort !== undefined));
}

function mountsClaims({ volumes = [] }: Spec): boolean {
  return volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined);
}

function avoidsItself({ affinity }: Spec): boolean {
  const required = affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return required.some((term) => !JSON.stringify(term).includes(LABEL.revision));
}
