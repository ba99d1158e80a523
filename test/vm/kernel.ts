// Linux kernels for machines, from Debian's packages (https://packages.debian.org/linux-image-cloud-amd64).
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execute } from '../kind/engine.ts';

export interface Kernel {
  /** The release in `uname -r`. */
  readonly release: string;
  readonly image: string;
  /** The folder for /lib/modules/RELEASE. */
  readonly modules: string;
}

/** An older kernel line than on current CI machines, as a customer's VMs may have. */
const PACKAGES = '^linux-image-6\\.1\\.[0-9]+-[0-9]+-cloud-amd64$';

/** The two newest kernels of the line, the older one first; cached in the folder. */
export async function ensureKernels(dir: string): Promise<[Kernel, Kernel]> {
  const found = await execute('apt-cache', ['search', '--names-only', PACKAGES]);
  const names = found
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const [older, newer] = names.slice(-2);
  if (older === undefined || newer === undefined) {
    throw new Error(`this machine's package sources have no two kernels ${PACKAGES}: run apt-get update on Debian 12`);
  }
  return [await ensureKernel(dir, older), await ensureKernel(dir, newer)];
}

async function ensureKernel(dir: string, name: string): Promise<Kernel> {
  const release = name.slice('linux-image-'.length);
  const files = join(dir, name);
  if (!existsSync(files)) await download(dir, name, files);
  return { release, image: join(files, `boot/vmlinuz-${release}`), modules: join(files, 'lib/modules', release) };
}

async function download(dir: string, name: string, into: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const temporary = await mkdtemp(join(dir, 'unfinished-'));
  try {
    await execute('apt-get', ['download', '--quiet=2', name], { cwd: temporary });
    const [archive = ''] = await readdir(temporary);
    await execute('dpkg-deb', ['--extract', archive, 'files'], { cwd: temporary });
    await rename(join(temporary, 'files'), into);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
