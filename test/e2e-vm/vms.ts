// A customer's virtual machines: they join the kind cluster as nodes, lose their power, and are installed again.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logTail, removeWithUs, type Running } from '../cluster/processes.ts';
import { e2e, kubectl } from '../e2e/world.ts';
import { addRoutes, POOL_LABEL, TENANT_LABEL, type KindCluster } from '../kind/cluster.ts';
import { execute, prepareEngine } from '../kind/engine.ts';
import type { Build } from '../vm/disk.ts';
import { startMachine } from '../vm/machine.ts';
import { findSite, writeSeed, type Site } from '../vm/seed.ts';

export const POOL = 'acme-vms';
/** Timeout from the start of a machine; a single emulated machine takes about a minute. */
const JOIN_SECONDS = 300;

export interface Vm {
  readonly name: string;
  /** Starts a build from a new disk; waits until the node is ready. */
  readonly install: (build: Build) => Promise<void>;
  readonly cutPower: () => Promise<void>;
  /** Starts from the existing disk; waits until the node is ready. */
  readonly start: () => Promise<void>;
}

export interface Vms {
  readonly all: readonly Vm[];
  /** Removes the machines and their nodes. */
  readonly remove: () => Promise<void>;
}

/** Creates machines without starting them. */
export async function prepareVms(count: number): Promise<Vms> {
  const dir = await mkdtemp(join(tmpdir(), 'machines-'));
  const letGo = await removeWithUs(dir);
  const cluster = { ...e2e.cluster, engine: await prepareEngine() };
  const site = await findSite(cluster);
  const indices = Array.from({ length: count }, (_, index) => index + 1);
  const all = await Promise.all(indices.map((index) => prepareVm(cluster, site, dir, index)));
  return {
    all,
    remove: async () => {
      await Promise.all(all.map((vm) => vm.cutPower()));
      await kubectl('delete', 'nodes', ...all.map(({ name }) => name), '--ignore-not-found');
      await rm(dir, { recursive: true });
      await letGo();
    },
  };
}

async function prepareVm(cluster: KindCluster, site: Site, root: string, index: number): Promise<Vm> {
  const name = `${POOL}-${index}`;
  const address = site.free[index] ?? '';
  const dir = join(root, name);
  const [disk, seed] = [join(dir, 'disk.img'), join(dir, 'seed.tar')];
  await mkdir(dir);
  let installed: Build | undefined;
  let machine: Running | undefined;

  async function start(): Promise<void> {
    if (!installed) throw new Error(`machine ${name} has no disk`);
    const started = await startMachine({
      name,
      build: installed,
      disk,
      seed,
      bridge: site.bridge,
      mac: `52:54:00:00:00:${String(index).padStart(2, '0')}`,
      logFile: join(dir, 'console'),
    });
    machine = started;
    try {
      await kubectl('wait', `node/${name}`, '--for=create', `--timeout=${JOIN_SECONDS}s`);
      await kubectl('wait', `node/${name}`, '--for=condition=Ready', `--timeout=${JOIN_SECONDS}s`);
    } catch (cause) {
      throw new Error(`no ready node ${name}\n${await logTail(started)}`, { cause });
    }
    const podCIDR = await kubectl('get', 'node', name, '--output=jsonpath={.spec.podCIDR}');
    await addRoutes(cluster, [{ name, podCIDR, address: address.split('/')[0] ?? '' }]);
  }

  async function cutPower(): Promise<void> {
    await machine?.stop();
  }

  return {
    name,
    start,
    cutPower,
    install: async (build) => {
      await execute('cp', ['--sparse=always', build.disk, disk]);
      const labels = { [POOL_LABEL]: POOL, [TENANT_LABEL]: 'acme' };
      const taints = [{ key: POOL_LABEL, value: POOL, effect: 'NoSchedule' }];
      const registries = [e2e.registry, e2e.lockedRegistry];
      await writeSeed(cluster.engine, site, { name, address, labels, taints, registries }, seed);
      installed = build;
      await start();
    },
  };
}
