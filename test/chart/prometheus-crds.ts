// The CRDs of the Prometheus operator, from its Go module.
import { join } from 'node:path';
import { moduleDir } from '../cluster/go-tool.ts';

/** Files with the CRDs for objects of the chart. Needs Go, and the network for the first time. */
export async function prometheusCrds(): Promise<string[]> {
  const module = 'github.com/prometheus-operator/prometheus-operator';
  const dir = await moduleDir(join(import.meta.dirname, 'monitoring'), module);
  return ['servicemonitors', 'podmonitors', 'prometheusrules'].map((plural) =>
    join(dir, 'example/prometheus-operator-crd', `monitoring.coreos.com_${plural}.yaml`),
  );
}
