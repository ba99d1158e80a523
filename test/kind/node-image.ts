// Builds the image of kind's nodes on this machine, without pulling.
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { moduleVersion } from '../cluster/go-tool.ts';
import { startProgress } from '../cluster/progress.ts';
import type { Engine } from './engine.ts';
import { execute } from './engine.ts';
import type { NodeBinaries } from './tools.ts';
import { ensureNodeBinaries, kind, kubelet } from './tools.ts';

const here = import.meta.dirname;
/** Debian 13's systemd refuses the control groups (version 1) that some machines still have. */
const SUITE = 'bookworm';
/** The packages of kind's own images/base/Dockerfile, and runc. */
const PACKAGES =
  'systemd systemd-sysv dbus conntrack iptables nftables iproute2 ethtool mount kmod libseccomp2 bash ca-certificates ' +
  'curl jq procps runc pigz socat findutils hostname';

/** Builds the image unless it exists; returns its name. */
export async function ensureNodeImage(engine: Engine): Promise<string> {
  const binaries = await ensureNodeBinaries();
  const name = `localhost/kind-node:${await keyOf(binaries)}`;
  if (await hasImage(engine, name)) return name;
  const base = await ensureNodeBase(engine);
  const progress = startProgress('Building the image of the nodes');
  const context = await mkdtemp(join(tmpdir(), 'kind-node-'));
  try {
    await layOutFiles(engine, join(context, 'files'), binaries, base, progress.note);
    await build(engine, context, name, join(here, 'Containerfile'), { BASE: base });
    progress.end('done');
    return name;
  } catch (error) {
    progress.end('failed');
    throw error;
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** Debian with everything that a node needs, without the built executables; returns the name of the image. */
export function ensureNodeBase(engine: Engine): Promise<string> {
  return ensureBase(engine, `kind-base-${SUITE}`, ['--variant=minbase'], PACKAGES);
}

async function keyOf(binaries: NodeBinaries): Promise<string> {
  const hash = createHash('sha256').update(
    [SUITE, PACKAGES, ...Object.values(binaries).map((dir: string) => basename(dir))].join('\n'),
  );
  const files = [
    'Containerfile',
    'kind-images.service',
    'kind-control-plane-images.service',
    'kind/go.sum',
    'node-image.ts',
  ];
  for (const file of files) hash.update(await readFile(join(here, file)));
  return hash.digest('hex').slice(0, 12);
}

async function hasImage(engine: Engine, name: string): Promise<boolean> {
  return (await engine.run(['images', '--quiet', name])).trim() !== '';
}

/**
 * An image from Debian packages, with the machine's own package sources (https://manpages.debian.org/mmdebstrap); returns
 * its name.
 */
async function ensureBase(engine: Engine, name: string, options: readonly string[], packages: string): Promise<string> {
  const key = createHash('sha256')
    .update([...options, packages].join('\n'))
    .digest('hex')
    .slice(0, 12);
  const image = `localhost/${name}:${key}`;
  if (await hasImage(engine, image)) return image;
  const progress = startProgress(`Installing Debian's packages for ${name} (about a minute)`);
  const dir = await mkdtemp(join(tmpdir(), 'kind-base-'));
  const tar = join(dir, 'base.tar');
  try {
    const apt = [
      '--aptopt=Acquire::Check-Valid-Until "false"',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-exclude=/usr/share/man/*',
    ];
    await execute(
      'mmdebstrap',
      ['--quiet', ...options, ...apt, `--include=${packages.split(' ').join(',')}`, SUITE, tar, '-'],
      {
        input: await packageSources(),
      },
    );
    await engine.run(['import', tar, image]);
    progress.end('done');
    return image;
  } catch (error) {
    progress.end('failed');
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The Debian archives among this machine's package sources. */
async function packageSources(): Promise<string> {
  const format = '$(ORIGIN)|deb $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const lines = await execute('apt-get', ['indextargets', '--format', format, 'Created-By: Packages']);
  const sources = lines.split('\n').filter((line) => line.startsWith('Debian|') && line.includes(` ${SUITE}`));
  if (sources.length === 0)
    throw new Error(`this machine has no package source of Debian ${SUITE}: run apt-get update`);
  return [...new Set(sources.map((line) => line.slice('Debian|'.length)))].join('\n');
}

async function build(
  engine: Engine,
  context: string,
  name: string,
  file: string,
  args: Readonly<Record<string, string>>,
): Promise<void> {
  const flags = Object.entries(args).map(([key, value]) => `--build-arg=${key}=${value}`);
  await engine.run([
    'build',
    '--isolation=chroot',
    '--pull=never',
    '--format=docker',
    `--file=${file}`,
    `--tag=${name}`,
    ...flags,
    context,
  ]);
}

async function layOutFiles(
  engine: Engine,
  root: string,
  binaries: NodeBinaries,
  base: string,
  note: (line: string) => void,
): Promise<void> {
  const kindModule = (await execute('go', ['list', '-m', '-f', '{{.Dir}}', kind.module], { cwd: kind.source })).trim();
  await cp(join(kindModule, 'images/base/files'), root, { recursive: true });
  // The files of a Go module are read-only, and none is executable.
  await execute('chmod', ['-R', 'u+w,go-w,a+rX', root]);
  await execute('chmod', ['0755', ...['entrypoint', 'clean-install'].map((name) => join(root, 'usr/local/bin', name))]);
  await execute('chmod', ['-R', '0755', join(root, 'kind/bin')]);
  const into = async (folder: string, from: string, names: readonly string[]) => {
    await mkdir(join(root, folder), { recursive: true });
    for (const name of names) await cp(join(from, name), join(root, folder, name), { verbatimSymlinks: true });
  };
  await into('usr/bin', binaries.kubelet, ['kubelet', 'kubeadm']);
  await into('usr/bin', binaries.controlPlane, ['controlplane', 'kubectl']);
  await into('usr/local/bin', binaries.containerd, ['containerd', 'ctr', 'containerd-shim-runc-v2']);
  await into('opt/cni/bin', binaries.cni, ['ptp', 'host-local', 'loopback', 'portmap']);
  await into('etc/systemd/system', here, ['kind-images.service', 'kind-control-plane-images.service']);
  await writeFile(join(root, 'kind/version'), moduleVersion(kubelet.source, kubelet.module));
  note('the images of the components');
  const images = await componentImages(binaries);
  await saveImages(engine, join(root, 'kind'), images, binaries, base);
  const config = join(root, 'etc/containerd/config.toml');
  const pause = images.find((image) => image.includes('/pause:')) ?? '';
  await writeFile(
    config,
    (await readFile(config, 'utf8')).replace(/sandbox_image = ".*"/, `sandbox_image = "${pause}"`),
  );
}

/** The names that kubeadm expects, such as registry.k8s.io/pause:3.10. */
async function componentImages({ kubelet: dir }: NodeBinaries): Promise<string[]> {
  const version = moduleVersion(kubelet.source, kubelet.module);
  const list = await execute(join(dir, 'kubeadm'), ['config', 'images', 'list', `--kubernetes-version=${version}`]);
  return list.trim().split('\n');
}

/** Each component as an image from scratch, in two archives that the nodes import when they start. */
async function saveImages(
  engine: Engine,
  into: string,
  images: readonly string[],
  binaries: NodeBinaries,
  base: string,
): Promise<void> {
  const components = images.map((image) => ({ image, component: /([a-z-]+):[^:]*$/.exec(image)?.[1] ?? '' }));
  const controlPlane = components.filter(({ component }) => IMAGES[component] === undefined);
  for (const { image, component } of components) {
    const make = IMAGES[component];
    if (make) await buildFrom(engine, image, base, (context) => make(context, binaries));
  }
  // One image under four names: its executable acts by its name.
  const [first, ...others] = controlPlane.map(({ image }) => image);
  if (first === undefined) throw new Error('kubeadm names no image of the control plane');
  const names = controlPlane.map(({ component }) => component);
  await buildFrom(engine, first, base, (context) => controlPlaneImage(context, binaries, names));
  for (const other of others) await engine.run(['tag', first, other]);
  await save(engine, join(into, 'control-plane-images.tar'), [first, ...others]);
  await save(
    engine,
    join(into, 'images.tar'),
    components.filter((candidate) => !controlPlane.includes(candidate)).map(({ image }) => image),
  );
}

/** Moves images into an archive. */
async function save(engine: Engine, archive: string, images: readonly string[]): Promise<void> {
  const flags = ['--quiet', '--multi-image-archive', '--format=docker-archive', `--output=${archive}`];
  await engine.run(['save', ...flags, ...images]);
  await engine.run(['rmi', ...images]);
}

async function buildFrom(
  engine: Engine,
  image: string,
  base: string,
  layOut: (context: string) => Promise<string>,
): Promise<void> {
  const context = await mkdtemp(join(tmpdir(), 'kind-component-'));
  try {
    const file = join(context, 'Containerfile');
    await writeFile(file, await layOut(context));
    await build(engine, context, image, file, { BASE: base });
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** Puts the copied files beside the Containerfile, and returns the Containerfile. */
type LayOut = (context: string, binaries: NodeBinaries) => Promise<string>;

const IMAGES: Readonly<Record<string, LayOut>> = {
  pause: async (context, { pause }) => {
    await cp(join(pause, 'pause'), join(context, 'pause'));
    return 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n';
  },
  coredns: async (context, { coredns }) => {
    await cp(join(coredns, 'coredns'), join(context, 'coredns'));
    return 'FROM scratch\nCOPY coredns /coredns\nUSER 65532:65532\nENTRYPOINT ["/coredns"]\n';
  },
  'kube-proxy': async (context, { kubelet: dir }) => {
    await cp(join(dir, 'kubelet'), join(context, 'kube-proxy'));
    // It calls nft, which comes from the nodes' base image with its libraries.
    return [
      'ARG BASE',
      'FROM ${BASE} AS base',
      'RUN mkdir /nft && cp --parents $(ldd /usr/sbin/nft | grep -o "/[^ ]*") /usr/sbin/nft /nft',
      'FROM scratch',
      'COPY --from=base /nft /',
      'COPY kube-proxy /usr/local/bin/kube-proxy',
      'ENV PATH=/usr/local/bin:/usr/sbin',
    ].join('\n');
  },
};

async function controlPlaneImage(context: string, binaries: NodeBinaries, names: readonly string[]): Promise<string> {
  await mkdir(join(context, 'bin'));
  await cp(join(binaries.controlPlane, 'controlplane'), join(context, 'bin/controlplane'));
  for (const name of names) await symlink('controlplane', join(context, 'bin', name));
  return 'FROM scratch\nCOPY bin /usr/local/bin\nENV PATH=/usr/local/bin\n';
}
