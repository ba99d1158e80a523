import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { KINDS } from '../../src/api/kinds.ts';
import { GROUP } from '../../src/api/meta.ts';
import { waitFor } from './processes.ts';
import type { Binaries, ClusterAccess, ClusterDetails, ControlPlane } from './types.ts';

/** Uses a cluster that another process has started. */
export function connect(cluster: ClusterDetails): ClusterAccess {
  return { ...cluster, kubectl: kubectlFor(cluster) };
}

const crds = join(import.meta.dirname, '../../crds');

/** Installs the kinds and waits until they are served. */
export async function installCrds(cluster: Pick<ControlPlane, 'kubectl'>): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-k', crds]);
  const names = KINDS.map(({ plural }) => `crd/${plural}.${GROUP}`);
  const established = ['wait', '--for=condition=Established', '--timeout=10s', ...names];
  // kubectl treats a CRD without conditions as an error.
  await waitFor('established CRDs', async () => (await cluster.kubectl(established)) !== '', { timeoutSeconds: 60 });
}

/** See ControlPlane.kubectl. Isolated from the user's kubectl configuration. */
export function kubectlFor(
  cluster: Pick<ClusterDetails, 'kubeconfigPath' | 'dir'> & { readonly binaries: Pick<Binaries, 'kubectl'> },
): ControlPlane['kubectl'] {
  const env = {
    ...process.env,
    KUBECONFIG: cluster.kubeconfigPath,
    KUBECACHEDIR: join(cluster.dir, 'kubectl-cache'),
    KUBERC: 'off',
  };
  return (args, { input = '' } = {}) =>
    new Promise((resolve, reject) => {
      const child = execFile(cluster.binaries.kubectl, args, { env, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`kubectl ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }));
      });
      // A kubectl that a signal ends before it has read its input: what it ended with is told above.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
}
