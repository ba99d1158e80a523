// A test cluster that stays up: `node test/cluster/cluster.ts up`, `node test/cluster/cluster.ts down`.
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startControlPlane } from './control-plane.ts';
import { addNodes, standardPools } from './nodes.ts';
import { findDetached, waitFor } from './processes.ts';
import { startRegistry } from './registry.ts';

const dir = join(import.meta.dirname, '../../.cache/cluster');
const summaryFile = join(dir, 'summary');

async function up(): Promise<void> {
  if (existsSync(summaryFile) && (await findDetached(dir)).length === 6) {
    console.error('The test cluster is up already.');
  } else {
    await remove();
    await writeFile(summaryFile, await startAll());
  }
  // What a shell can evaluate: eval "$(make cluster)".
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
    // For `make run`: the registry speaks plain http.
    `export APPRELEASE_INSECURE_REGISTRY='${registry.host}'`,
  ].join('\n');
}

async function down(): Promise<void> {
  console.error((await remove()) ? 'The test cluster is down.' : 'The test cluster was not up.');
}

/** Ends what runs and removes what is left of it; says whether there was anything. */
async function remove(): Promise<boolean> {
  if (!existsSync(dir)) return false;
  for (const pid of await findDetached(dir)) process.kill(pid, 'SIGKILL');
  await waitFor('end of the processes', async () => (await findDetached(dir)).length === 0, { timeoutSeconds: 10 });
  await rm(dir, { recursive: true });
  return true;
}

const commands: Readonly<Record<string, () => Promise<void>>> = { up, down };
const command = commands[process.argv[2] ?? ''];
if (command === undefined) {
  console.error('usage: cluster.ts up|down');
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void remove().finally(() => process.exit(1)));
}
await command();
