/** What Prometheus is told of the pools, by the operator that leads. */
import { Gauge, type Registry } from 'prom-client';
import { conditionIs } from '../api/conditions.ts';
import type { PoolOutcome } from '../vmpool/status.ts';
import type { Resources } from '../scheduling/quantity.ts';

/** Without an outcome: the pool is gone, and so is all that was told of it. */
export type PoolMetrics = (pool: string, outcome: PoolOutcome | undefined) => void;

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [Labels, number];

export function createPoolMetrics(registry: Registry): PoolMetrics {
  const outcomes = new Map<string, PoolOutcome>();

  /** Made of the newest outcomes whenever Prometheus asks, so that nothing stays behind. */
  function gauge(name: string, help: string, labels: string[], samplesOf: (outcome: PoolOutcome) => Sample[]): void {
    new Gauge({
      name: `apprelease_vmpool_${name}`,
      help,
      labelNames: ['pool', ...labels],
      registers: [registry],
      collect() {
        this.reset();
        for (const [pool, outcome] of outcomes) {
          for (const [own, value] of samplesOf(outcome)) this.set({ pool, ...own }, value);
        }
      },
    });
  }

  gauge('nodes', 'VMs by what they are: ready, draining or not_ready.', ['state'], ({ figures: { nodes } }) => [
    [{ state: 'ready' }, nodes.ready],
    [{ state: 'draining' }, nodes.draining],
    [{ state: 'not_ready' }, nodes.notReady],
  ]);
  gauge('pods', 'Pods that take room on the VMs.', [], ({ figures: { use } }) => (use ? [[{}, use.pods]] : []));
  amounts(gauge, 'capacity', 'what the VMs have', ({ figures }) => figures.capacity);
  amounts(gauge, 'allocatable', 'what the VMs leave to pods', ({ figures }) => figures.allocatable);
  amounts(gauge, 'requested', 'what the pods ask for', ({ figures }) => figures.use?.requested);
  amounts(gauge, 'waste', 'what nobody asks for: allocatable − requested', ({ figures }) => figures.use?.waste);
  gauge('density_pods', 'Pods per VM.', [], ({ figures: { use, nodes } }) =>
    use && nodes.total > 0 ? [[{}, use.pods / nodes.total]] : [],
  );
  gauge(
    'skewed',
    'Whether the VMs run different systems, kernels or kubelets: 1, or the same: 0.',
    [],
    ({ status }) => [[{}, conditionIs(status.conditions, 'Skewed', 'True') ? 1 : 0]],
  );
  gauge('version_nodes', 'VMs by what they run.', ['component', 'version'], ({ status }) =>
    Object.entries({
      os: status.osImages,
      kernel: status.kernels,
      kubelet: status.kubelets,
      container_runtime: status.containerRuntimes,
    }).flatMap(([component, versions = []]) =>
      versions.map(({ name, nodes }): Sample => [{ component, version: name }, nodes]),
    ),
  );

  return (pool, outcome) => {
    if (outcome) outcomes.set(pool, outcome);
    else outcomes.delete(pool);
  };
}

type MakeGauge = (name: string, help: string, labels: string[], samplesOf: (outcome: PoolOutcome) => Sample[]) => void;

/** In base units, each with a name of its own (https://prometheus.io/docs/practices/naming/). */
function amounts(
  gauge: MakeGauge,
  name: string,
  help: string,
  amountOf: (outcome: PoolOutcome) => Resources | undefined,
): void {
  const units = [
    ['cpu_cores', 'Cores', 'cpu', 1000],
    ['memory_bytes', 'Memory', 'memory', 1],
    ['pod_slots', 'Room for pods', 'pods', 1],
  ] as const;
  for (const [unit, what, resource, per] of units) {
    gauge(`${name}_${unit}`, `${what}: ${help}.`, [], (outcome) => {
      const value = amountOf(outcome)?.[resource];
      return value === undefined ? [] : [[{}, value / per]];
    });
  }
}
