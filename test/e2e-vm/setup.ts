// The kind cluster of the end-to-end tests, and what machines that join it boot from: `inject('builds')`.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { provideCluster } from '../e2e/setup.ts';
import { prepareEngine } from '../kind/engine.ts';
import { ensureNodeImage } from '../kind/node-image.ts';
import { ensureBuild, type Build } from '../vm/disk.ts';
import { ensureKernels } from '../vm/kernel.ts';

export interface Builds {
  readonly older: Build;
  readonly newer: Build;
}

declare module 'vitest' {
  interface ProvidedContext {
    builds: Builds;
  }
}

/** Programs by Debian package. */
const PROGRAMS = {
  'qemu-system-x86': '/usr/bin/qemu-system-x86_64',
  'busybox-static': '/bin/busybox',
  cpio: '/bin/cpio',
};

async function assertPackages(): Promise<void> {
  const missing: string[] = [];
  for (const [name, program] of Object.entries(PROGRAMS)) {
    await access(program).catch(() => missing.push(name));
  }
  if (missing.length > 0) throw new Error(`packages are missing: apt-get install ${missing.join(' ')}`);
}

const dir = join(import.meta.dirname, '../../.cache/vm');

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (process.arch !== 'x64') throw new Error('the virtual machines of these tests are for x86-64 hosts');
  await assertPackages();
  const engine = await prepareEngine();
  if (engine.pulls) throw new Error('the virtual machines run the node image that is built here: set NODES=build');
  const nodeImage = await ensureNodeImage(engine);
  const [first, second] = await ensureKernels(dir);
  const older = await ensureBuild(dir, { engine, nodeImage, kernel: first, osImage: 'Debian GNU/Linux 12 (build 1)' });
  const newer = await ensureBuild(dir, { engine, nodeImage, kernel: second, osImage: 'Debian GNU/Linux 12 (build 2)' });
  project.provide('builds', { older, newer });
  return provideCluster(project);
}
