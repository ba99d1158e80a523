/** What keeps the pods of a new revision from starting beside those that serve, as BlueGreen needs it. Pure. */
import type { PodTemplate } from '../../api/app-release.ts';
import { LABEL } from '../../api/meta.ts';
import type { StrategyType } from '../record/desired.ts';

type Spec = PodTemplate['spec'];

/** How far a pod has come: to no VM, or to one where it does not start. */
export type Stuck = 'Scheduling' | 'Starting';

interface Obstacle {
  at: Stuck;
  is: (spec: Spec) => boolean;
  what: string;
  wayOut: string;
}

const ROLLING = 'strategy RollingUpdate with maxSurge 0';
/** With RollingUpdate pods start beside the old ones only where ports and template change together. */
const PORTS_APART = 'a version that changes the ports alone, and one that changes the template alone';

const OBSTACLES: readonly Obstacle[] = [
  { at: 'Scheduling', is: takesHostPorts, what: 'a hostPort, which one pod of a VM can have', wayOut: ROLLING },
  {
    at: 'Starting',
    is: mountsClaims,
    what: 'a PersistentVolumeClaim, which may let in the pods of one VM only',
    wayOut: ROLLING,
  },
  {
    at: 'Scheduling',
    is: avoidsItself,
    what: 'required anti-affinity, which may keep pods from the VMs of the version before',
    wayOut: `the pod label ${LABEL.revision} in the anti-affinity, or ${ROLLING}`,
  },
];

/** Why pods of a template may wait until those of the version before are gone, which are kept; and the way out. */
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
