// The boot files of a machine: a disk with the files of a kind node, adapted to a machine, and an initrd.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { startProgress } from '../cluster/progress.ts';
import { execute, type Engine } from '../kind/engine.ts';
import type { Kernel } from './kernel.ts';

const guest = join(import.meta.dirname, 'guest');
const DISK_SIZE = '3G';
/** The kernel modules for the initrd, with their dependencies. */
const INITRD_MODULES = ['virtio_pci', 'virtio_blk'];

/** The files that machines of one build share; each machine has a copy of the disk. */
export interface Build {
  readonly kernel: Kernel;
  readonly initrd: string;
  readonly disk: string;
}

/** Creates the disk of a build unless it exists in the folder. The kubelet reports `osImage`, from os-release(5). */
export async function ensureBuild(
  dir: string,
  { engine, nodeImage, kernel, osImage }: { engine: Engine; nodeImage: string; kernel: Kernel; osImage: string },
): Promise<Build> {
  const built = join(dir, `build-${await keyOf([nodeImage, kernel.release, osImage])}`);
  if (!existsSync(built)) {
    const progress = startProgress(`Making a disk with Linux ${kernel.release} (about half a minute)`);
    const temporary = await mkdtemp(join(dir, 'unfinished-'));
    try {
      await makeDisk(engine, nodeImage, { kernel, osImage }, temporary);
      await rename(temporary, built);
      progress.end('done');
    } catch (error) {
      progress.end('failed');
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }
  return { kernel, initrd: join(built, 'initrd'), disk: join(built, 'disk.img') };
}

async function keyOf(inputs: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(inputs.join('\n'));
  for (const name of ['init', 'machine', 'machine.service', 'kubelet-cgroup', '../disk.ts']) {
    hash.update(await readFile(join(guest, name)));
  }
  return hash.digest('hex').slice(0, 12);
}

async function makeDisk(
  engine: Engine,
  nodeImage: string,
  { kernel, osImage }: { kernel: Kernel; osImage: string },
  into: string,
): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'machine-root-'));
  try {
    await exportImage(engine, nodeImage, root);
    await cp(kernel.modules, join(root, 'lib/modules', kernel.release), { recursive: true });
    await execute('chroot', [root, 'depmod', kernel.release]);
    await makeInitrd(root, kernel, join(into, 'initrd'));
    await makeMachine(root, osImage);
    const disk = join(into, 'disk.img');
    await execute('mke2fs', ['-q', '-t', 'ext4', '-d', root, disk, DISK_SIZE]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** The files of an image of the engine. */
async function exportImage(engine: Engine, image: string, into: string): Promise<void> {
  const container = (await engine.run(['create', image])).trim();
  const archive = `${into}.tar`;
  try {
    await engine.run(['export', `--output=${archive}`, container]);
    await execute('tar', ['--extract', `--directory=${into}`, `--file=${archive}`]);
  } finally {
    await engine.run(['rm', container]);
    await rm(archive, { force: true });
  }
}

/** Changes for a machine instead of a container with kind's entrypoint. */
async function makeMachine(root: string, osImage: string): Promise<void> {
  const at = (path: string) => join(root, path);
  await cp(join(guest, 'machine'), at('usr/local/bin/machine'));
  await cp(join(guest, 'kubelet-cgroup'), at('kind/bin/create-kubelet-cgroup-v2.sh'));
  for (const path of ['usr/local/bin/machine', 'kind/bin/create-kubelet-cgroup-v2.sh']) await chmod(at(path), 0o755);
  await cp(join(guest, 'machine.service'), at('etc/systemd/system/machine.service'));
  await symlink('../machine.service', at('etc/systemd/system/multi-user.target.wants/machine.service'));
  await rm(at('etc/systemd/system/multi-user.target.wants/undo-mount-hacks.service'));
  // Created for each machine at its first start.
  await writeFile(at('etc/machine-id'), '');
  await edit(at('usr/lib/os-release'), (text) => text.replace(/^PRETTY_NAME=.*$/m, `PRETTY_NAME="${osImage}"`));
  // It copies files of the container into each pod.
  await edit(at('etc/containerd/cri-base.json'), (text) => {
    const { hooks: _hooks, ...spec } = JSON.parse(text) as { hooks?: unknown };
    return JSON.stringify(spec);
  });
  const registries = '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n';
  // Without it, a power cut leaves images with empty files, which are not pulled again.
  const sync = 'image_pull_with_sync_fs = true';
  await edit(
    at('etc/containerd/config.toml'),
    (text) => `${text.replace(/^ *sandbox_image = .*$/m, `$&\n  ${sync}`)}\n${registries}`,
  );
  await dropImages(at('kind/images.tar'), 'coredns');
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')));
}

/** Extracts one image from an archive with several, because each import is slow on emulated processors. */
async function dropImages(archive: string, name: string): Promise<void> {
  const files = await mkdtemp(join(tmpdir(), 'machine-images-'));
  try {
    await execute('tar', ['--extract', `--directory=${files}`, `--file=${archive}`]);
    const manifest = join(files, 'manifest.json');
    const images = JSON.parse(await readFile(manifest, 'utf8')) as { RepoTags: string[] }[];
    const kept = images.filter(({ RepoTags }) => !RepoTags.some((tag) => tag.includes(`/${name}:`)));
    await writeFile(manifest, JSON.stringify(kept));
    await rm(join(files, 'repositories'), { force: true });
    await execute('tar', ['--create', `--directory=${files}`, `--file=${archive}`, '.']);
  } finally {
    await rm(files, { recursive: true, force: true });
  }
}

async function makeInitrd(root: string, kernel: Kernel, into: string): Promise<void> {
  const files = await mkdtemp(join(tmpdir(), 'machine-initrd-'));
  const modules = join(root, 'lib/modules', kernel.release);
  try {
    await mkdir(join(files, 'modules'));
    await mkdir(join(files, 'bin'));
    await cp('/bin/busybox', join(files, 'bin/busybox'));
    await cp(join(guest, 'init'), join(files, 'init'));
    await chmod(join(files, 'init'), 0o755);
    const needed = inOrder(await readFile(join(modules, 'modules.dep'), 'utf8'), INITRD_MODULES);
    for (const path of needed) await cp(join(modules, path), join(files, 'modules', basename(path)));
    await writeFile(join(files, 'modules/order'), needed.map((path) => `${basename(path)}\n`).join(''));
    const script = 'find . | cpio --quiet --create --format=newc >"$0"';
    await execute('/bin/sh', ['-c', script, into], { cwd: files });
  } finally {
    await rm(files, { recursive: true, force: true });
  }
}

/** The files of modules, dependencies first; modules.dep(5) lists the dependencies in reverse order. */
function inOrder(dependencies: string, names: readonly string[]): string[] {
  const lists = names.map((name) => {
    const line = dependencies.split('\n').find((candidate) => candidate.includes(`/${name}.ko:`));
    if (line === undefined) throw new Error(`the kernel has no module ${name}`);
    const [own = '', needed = ''] = line.split(':');
    return [...needed.trim().split(' ').filter(Boolean).toReversed(), own];
  });
  return [...new Set(lists.flat())];
}
