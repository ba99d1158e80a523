/** Metrics of VMPools, exported by the leading operator. */
import { Gauge, type Registry } from 'prom-client';
import { conditionIs } from '../api/conditions.ts';
import type { PoolOutcome } from '../vmpool/status.ts';
import type { Resources } from '../scheduling/quantity.ts';

/** No outcome: the pool is deleted, and its series disappear. */
export type PoolMetrics = (pool: string, outcome: PoolOutcome | undefined) => void;

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [Labels, number];

export function createPoolMetrics(registry: Registry): PoolMetrics {
  const outcomes = new Map<string, PoolOutcome>();

  /** Computed from the newest outcomes at each scrape, so that no old series remain. */
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

  gauge('nodes', 'VMs by state: ready, draining or not_ready.', ['state'], ({ figures: { nodes } }) => [
    [{ state: 'ready' }, nodes.ready],
    [{ state: 'draining' }, nodes.draining],
    [{ state: 'not_ready' }, nodes.notReady],
  ]);
  gauge('pods', 'Pods on the VMs that have not ended.', [], ({ figures: { use } }) => (use ? [[{}, use.pods]] : []));
  amounts(gauge, 'capacity', 'resources of the VMs', ({ figures }) => figures.capacity);
  amounts(gauge, 'allocatable', 'resources for pods', ({ figures }) => figures.allocatable);
  amounts(gauge, 'requested', 'requests of the pods', ({ figures }) => figures.use?.requested);
  amounts(gauge, 'waste', 'allocatable − requested', ({ figures }) => figures.use?.waste);
  gauge('density_pods', 'Pods per VM.', [], ({ figures: { use, nodes } }) =>
    use && nodes.total > 0 ? [[{}, use.pods / nodes.total]] : [],
  );
  gauge('skewed', '1 if the VMs run different systems, kernels or kubelets, else 0.', [], ({ status }) => [
    [{}, conditionIs(status.conditions, 'Skewed', 'True') ? 1 : 0],
  ]);
  gauge('trespassing_pods', 'Pods of namespaces that are no tenants of the pool.', [], ({ trespassing }) =>
    trespassing === undefined ? [] : [[{}, trespassing]],
  );
  gauge('version_nodes', 'VMs by component and version.', ['component', 'version'], ({ status }) =>
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

/** One metric per resource, in base units (https://prometheus.io/docs/practices/naming/). */
function amounts(
  gauge: MakeGauge,
  name: string,
  help: string,
  amountOf: (outcome: PoolOutcome) => Resources | undefined,
): void {
  const units = [
    ['cpu_cores', 'Cores', 'cpu', 1000],
    ['memory_bytes', 'Memory', 'memory', 1],
    ['pod_slots', 'Pod slots', 'pods', 1],
  ] as const;
  for (const [unit, what, resource, per] of units) {
    gauge(`${name}_${unit}`, `${what}: ${help}.`, [], (outcome) => {
      const value = amountOf(outcome)?.[resource];
      return value === undefined ? [] : [[{}, value / per]];
    });
  }
}
