// `make run`: runs the operator from its sources, against the current kubectl context.
import { KubeConfig } from '@kubernetes/client-node';
import { APP_RELEASES } from '../src/controller/kinds/api-kinds.ts';
import { createClient } from '../src/kube/client.ts';
import { isNotFound } from '../src/kube/errors.ts';

/** A message about what keeps the operator from running here; undefined if nothing does. */
async function obstacle(): Promise<string | undefined> {
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromDefault();
    const client = createClient(kubeConfig);
    try {
      await client.list(APP_RELEASES, { limit: 1 });
      return undefined;
    } finally {
      await client.close();
    }
  } catch (error) {
    const context = kubeConfig.getCurrentContext();
    if (isNotFound(error)) {
      return `The context ${context} has no AppReleases. Install the CRDs first:\n\n  kubectl apply --server-side -k crds`;
    }
    const why = error instanceof Error ? error.message : String(error);
    return `The current kubectl context cannot be used: ${why}\nTo start a cluster for experiments: eval "$(make cluster)"`;
  }
}

const problem = await obstacle();
if (problem !== undefined) {
  console.error(problem);
  process.exit(1);
}
// One process on a local machine needs no election, and serves only local clients. The user's flags come last and win.
const flags = ['--leader-elect=false', '--health-address=127.0.0.1:8081', '--metrics-address=127.0.0.1:8080'];
process.argv.splice(2, 0, ...flags);
await import('../src/operator.ts');
