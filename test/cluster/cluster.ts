// A test cluster that stays up: `node test/cluster/cluster.ts up`, `node test/cluster/cluster.ts down`. CLUSTER_DIR is
// the folder for its files.
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { startControlPlane } from './control-plane.ts';
import { addNodes, standardPools } from './nodes.ts';
import { findDetached, waitFor } from './processes.ts';
import { startRegistry } from './registry.ts';

const dir = resolve(process.env['CLUSTER_DIR'] ?? join(import.meta.dirname, '../../.cache/cluster'));
const summaryFile = join(dir, 'summary');

async function up(): Promise<void> {
  if (existsSync(summaryFile) && (await findDetached(dir)).length === 6) {
    console.error('The test cluster is up already.');
  } else {
    await remove();
    await writeFile(summaryFile, await startAll());
  }
  // Output for a shell: eval "$(make cluster)".
  console.log(await readFile(summaryFile, 'utf8'));
}

async function startAll(): Promise<string> {
  const controlPlane = await startControlPlane({ dir, detached: true });
  const registry = await startRegistry({ dir: join(dir, 'registry'), detached: true });
  const nodes = await addNodes(controlPlane, ...standardPools);
  return [
    `# ${nodes.length} simulated nodes: ${nodes.join(' ')}`,
    `# registry: ${registry.host}`,
    `# kubectl: ${controlPlane.binaries.kubectl}`,
    `export KUBECONFIG='${controlPlane.kubeconfigPath}'`,
    // For `make run`, because the registry is local and uses plain HTTP.
    `export APPRELEASE_INSECURE_REGISTRY='${registry.host}'`,
    "export APPRELEASE_REGISTRY_ALLOW_NETWORK='127.0.0.0/8'",
  ].join('\n');
}

async function down(): Promise<void> {
  console.error((await remove()) ? 'The test cluster is down.' : 'The test cluster was not up.');
}

/** Stops the processes and removes their files; returns whether there were any. */
async function remove(): Promise<boolean> {
  if (!existsSync(dir)) return false;
  await waitFor('end of the processes', killAll, { timeoutSeconds: 10 });
  await rm(dir, { recursive: true, force: true });
  return true;
}

/** Returns whether no process was left to kill; a process that just ended by itself is an exception. */
async function killAll(): Promise<boolean> {
  const pids = await findDetached(dir);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return pids.length === 0;
}

const commands: Readonly<Record<string, () => Promise<void>>> = { up, down };
const command = commands[process.argv[2] ?? ''];
if (command === undefined) {
  console.error('usage: cluster.ts up|down');
  process.exit(2);
}
const interrupted = new Promise<NodeJS.Signals>((resolveSignal) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolveSignal);
});
const signal = await Promise.race([command(), interrupted]);
if (signal !== undefined) {
  await remove();
  process.exit(128 + constants.signals[signal]);
}
