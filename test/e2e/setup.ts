// A kind cluster with the operator, for all end-to-end tests: `inject('e2e')` has its addresses.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { glob, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { controlPlane, registry } from '../cluster/build.ts';
import { ensureTool } from '../cluster/go-tool.ts';
import { freePort, unref } from '../cluster/processes.ts';
import {
  createCluster,
  findCluster,
  removeCluster,
  trustRegistry,
  type ClusterOptions,
  type KindCluster,
} from '../kind/cluster.ts';
import { kindDir } from '../kind/engine.ts';
import { installOperator, loadOperator } from './operator.ts';
import { argocd, ensureApp, helm, traefik } from '../kind/tools.ts';

export interface E2E {
  readonly cluster: Omit<KindCluster, 'engine'>;
  readonly kubectl: string;
  /** The app's executable in the images. */
  readonly app: string;
  /**
   * Where tests start their registry, ADDRESS:PORT, each of those that run side by side its own; the nodes pull from it, and
   * the operator asks it.
   */
  readonly registries: readonly string[];
  /** The same for a registry that needs credentials. */
  readonly lockedRegistry: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    e2e: E2E;
  }
}

/** In our environment, for the second of the two projects. */
const SHARED = 'E2E_CLUSTER';

export function setup(project: TestProject): Promise<() => Promise<void>> {
  return provideCluster(project, { strict: true });
}

/** KEEP=1 keeps and reuses the cluster; otherwise it is removed when the tests end, even if they are killed. */
export async function provideCluster(project: TestProject, options?: ClusterOptions): Promise<() => Promise<void>> {
  const shared = process.env[SHARED];
  if (shared !== undefined) {
    project.provide('e2e', JSON.parse(shared) as E2E);
    return () => Promise.resolve();
  }
  const keep = process.env['KEEP'] === '1';
  await mkdir(kindDir, { recursive: true });
  for await (const left of glob('registry-*', { cwd: kindDir })) await rm(join(kindDir, left), { recursive: true });
  const letGo = keep ? undefined : await removeClusterWithUs();
  async function end(): Promise<void> {
    if (keep) return;
    await removeCluster();
    letGo?.();
  }
  try {
    const kubectl = join(await ensureTool(controlPlane), 'kubectl');
    const app = await ensureApp();
    // Not during measurements.
    for (const tool of [helm, argocd, registry, traefik]) await ensureTool(tool);
    const cluster = (keep ? await findCluster() : undefined) ?? (await createCluster(options));
    // Of all projects: which of them comes first follows from the sizes of its files.
    const workers = Math.max(...project.vitest.projects.map(({ config }) => config.maxWorkers));
    const hosts = await Promise.all(
      Array.from({ length: workers + 1 }, async () => `${cluster.gateway}:${await freePort()}`),
    );
    await Promise.all(hosts.map((host) => trustRegistry(cluster, host)));
    await loadOperator(cluster);
    await installOperator({ cluster, kubectl, registries: hosts });
    const { engine: _engine, ...details } = cluster;
    const [lockedRegistry = '', ...registries] = hosts;
    const e2e: E2E = { cluster: details, kubectl, app, registries, lockedRegistry };
    project.provide('e2e', e2e);
    process.env[SHARED] = JSON.stringify(e2e);
  } catch (error) {
    await end();
    // Only the message, which holds the end of a command's output: a report of CI may show no more than the last lines.
    if (error instanceof Error) error.stack = error.message;
    throw error;
  }
  return end;
}

/** Removes the cluster when this process ends without calling the returned function. */
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
