// One control plane per worker, shared by the files that the worker runs: `ownCluster()` gives a test access.
import type { TestProject } from 'vitest/node';
import { startControlPlane } from '../cluster/control-plane.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import type { ClusterDetails, ControlPlane } from '../cluster/types.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** One per worker, each with the nodes of standardPools and two without a pool, `general-0` and `general-1`. */
    clusters: ClusterDetails[];
  }
}

/** Starts the control planes, and returns a function that stops them. They also end with a killed test run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const ending = new AsyncDisposableStack();
  try {
    const clusters: ClusterDetails[] = [];
    for (let worker = 0; worker < project.config.maxWorkers; worker += 1) {
      const started = await startControlPlane();
      ending.defer(() => started.stop());
      await addNodes(started, ...standardPools, { name: 'general', count: 2 });
      clusters.push(detailsOf(started));
    }
    project.provide('clusters', clusters);
  } catch (error) {
    await ending.disposeAsync();
    throw error;
  }
  return () => ending.disposeAsync();
}

function detailsOf({ dir, kubeconfigPath, url, caFile, adminToken, binaries }: ControlPlane): ClusterDetails {
  return { dir, kubeconfigPath, url, caFile, adminToken, binaries };
}
