// The CRDs of the Prometheus operator, from its Go module.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const MODULE = 'github.com/prometheus-operator/prometheus-operator';

/** Files with the CRDs for objects of the chart. Needs Go, and the network for the first time. */
export async function prometheusCrds(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', MODULE], {
    cwd: join(import.meta.dirname, 'monitoring'),
  });
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  return ['servicemonitors', 'podmonitors', 'prometheusrules'].map((plural) =>
    join(Dir, 'example/prometheus-operator-crd', `monitoring.coreos.com_${plural}.yaml`),
  );
}
