// One control plane for all integration tests: `connect(inject('cluster'))` gives a test its access.
import type { TestProject } from 'vitest/node';
import { startControlPlane } from '../cluster/control-plane.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import type { ClusterDetails } from '../cluster/types.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A control plane with the nodes of standardPools and two without a pool, `general-0` and `general-1`. */
    cluster: ClusterDetails;
  }
}

/** Starts the control plane; what it returns stops it. A killed test run takes the control plane with it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const controlPlane = await startControlPlane();
  try {
    await addNodes(controlPlane, ...standardPools, { name: 'general', count: 2 });
    const { dir, kubeconfigPath, url, caFile, adminToken, binaries } = controlPlane;
    project.provide('cluster', { dir, kubeconfigPath, url, caFile, adminToken, binaries });
  } catch (error) {
    await controlPlane.stop();
    throw error;
  }
  return () => controlPlane.stop();
}
