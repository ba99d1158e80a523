// Builds the executables of the test cluster from the Go modules beside this file.
import { join } from 'node:path';
import { ensureTool, type GoTool } from './go-tool.ts';
import type { Binaries } from './types.ts';

const here = import.meta.dirname;

/** A version of Kubernetes other than that in go.mod: KUBERNETES=1.34. */
const kubernetes = process.env['KUBERNETES'] ?? '';

export const controlPlane: GoTool = {
  source: join(here, 'controlplane'),
  ...(kubernetes !== '' && { modfile: `kubernetes-${kubernetes}.mod` }),
  description: `etcd, Kubernetes${kubernetes && ` ${kubernetes}`} and kubectl (about 8 minutes the first time)`,
  module: 'k8s.io/kubernetes',
  versionVariables: ['k8s.io/component-base/version.gitVersion', 'k8s.io/client-go/pkg/version.gitVersion'],
  links: ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'],
};

const kwok: GoTool = {
  source: join(here, 'kwok'),
  description: 'KWOK',
  module: 'sigs.k8s.io/kwok',
  versionVariables: ['sigs.k8s.io/kwok/pkg/consts.Version'],
  links: [],
};

export const registry: GoTool = {
  source: join(here, 'registry'),
  description: 'the OCI registry',
  module: 'github.com/distribution/distribution/v3',
  versionVariables: ['github.com/distribution/distribution/v3/version.version'],
  links: [],
};

/** Builds what is missing; see ensureTool. */
export async function ensureBinaries(): Promise<Binaries> {
  const controlPlaneDir = await ensureTool(controlPlane);
  const kwokDir = await ensureTool(kwok);
  const registryDir = await ensureTool(registry);
  return {
    etcd: join(controlPlaneDir, 'etcd'),
    kubeApiserver: join(controlPlaneDir, 'kube-apiserver'),
    kubeControllerManager: join(controlPlaneDir, 'kube-controller-manager'),
    kubeScheduler: join(controlPlaneDir, 'kube-scheduler'),
    kubectl: join(controlPlaneDir, 'kubectl'),
    kwok: join(kwokDir, 'kwok'),
    registry: join(registryDir, 'registry'),
  };
}

if (import.meta.main) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  for (const path of Object.values(await ensureBinaries()) as string[]) console.log(path);
}
