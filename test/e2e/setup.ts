// A kind cluster with the operator in it, for all end-to-end tests: `inject('e2e')` says where things are.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { controlPlane } from '../cluster/build.ts';
import { ensureTool } from '../cluster/go-tool.ts';
import { freePort, unref } from '../cluster/processes.ts';
import { createCluster, findCluster, removeCluster, trustRegistry, type KindCluster } from '../kind/cluster.ts';
import { kindDir } from '../kind/engine.ts';
import { installOperator } from './operator.ts';
import { ensureApp } from '../kind/tools.ts';

export interface E2E {
  readonly cluster: Omit<KindCluster, 'engine'>;
  readonly kubectl: string;
  /** The app's executable: what the images run. */
  readonly app: string;
  /** Where the tests start their registry, ADDRESS:PORT; the nodes pull from it, and the operator asks it. */
  readonly registry: string;
  /** The same for a registry that asks who pulls. */
  readonly lockedRegistry: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    e2e: E2E;
  }
}

/** KEEP=1 leaves the cluster, and takes one that was left; otherwise it goes when the tests end, even when they are killed. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const keep = process.env['KEEP'] === '1';
  await mkdir(kindDir, { recursive: true });
  const letGo = keep ? undefined : await removeClusterWithUs();
  async function end(): Promise<void> {
    if (keep) return;
    await removeCluster();
    letGo?.();
  }
  try {
    const kubectl = join(await ensureTool(controlPlane), 'kubectl');
    const app = await ensureApp();
    const cluster = (keep ? await findCluster() : undefined) ?? (await createCluster());
    const registry = `${cluster.gateway}:${await freePort()}`;
    const lockedRegistry = `${cluster.gateway}:${await freePort()}`;
    await trustRegistry(cluster, registry);
    await trustRegistry(cluster, lockedRegistry);
    await installOperator({ cluster, kubectl, registries: [registry, lockedRegistry] });
    const { engine: _engine, ...details } = cluster;
    project.provide('e2e', { cluster: details, kubectl, app, registry, lockedRegistry });
  } catch (error) {
    await end();
    throw error;
  }
  return end;
}

/** Removes the cluster when this process ends without calling what is returned. */
async function removeClusterWithUs(): Promise<() => void> {
  const script = 'read -r line; test "$line" = done || exec "$0" "$1" down';
  const down = spawn('/bin/sh', ['-c', script, process.execPath, join(import.meta.dirname, '../kind/cluster.ts')], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(down, 'spawn');
  down.unref();
  unref(down.stdin);
  return () => down.stdin.end('done\n');
}
