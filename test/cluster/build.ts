// Builds the executables of the test cluster from the Go modules beside this file, once per version.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, withLock } from './lock.ts';
import { onceOrRethrow, startProgress } from './progress.ts';
import type { Binaries } from './types.ts';

const here = import.meta.dirname;
const cache = join(here, '../../.cache/bin');

/** One Go module that becomes one executable. */
interface Tool {
  readonly name: string;
  readonly description: string;
  /** Module whose version the executable is stamped with, in these variables. */
  readonly module: string;
  readonly versionVariables: readonly string[];
  /** Further names of the executable, which chooses what to do by the name it is called by. */
  readonly links: readonly string[];
}

const controlPlane: Tool = {
  name: 'controlplane',
  description: 'etcd, Kubernetes and kubectl (about 8 minutes the first time)',
  module: 'k8s.io/kubernetes',
  versionVariables: ['k8s.io/component-base/version.gitVersion', 'k8s.io/client-go/pkg/version.gitVersion'],
  links: ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'],
};

const kwok: Tool = {
  name: 'kwok',
  description: 'KWOK',
  module: 'sigs.k8s.io/kwok',
  versionVariables: ['sigs.k8s.io/kwok/pkg/consts.Version'],
  links: [],
};

const registry: Tool = {
  name: 'registry',
  description: 'the OCI registry',
  module: 'github.com/distribution/distribution/v3',
  versionVariables: ['github.com/distribution/distribution/v3/version.version'],
  links: [],
};

/**
 * Builds what is missing; returns in milliseconds when nothing is. Needs Go, and the network for the first build.
 * @throws Error with the output of `go build`
 */
export async function ensureBinaries(): Promise<Binaries> {
  const controlPlaneDir = await ensureTool(controlPlane);
  const kwokDir = await ensureTool(kwok);
  const registryDir = await ensureTool(registry);
  return {
    etcd: join(controlPlaneDir, 'etcd'),
    kubeApiserver: join(controlPlaneDir, 'kube-apiserver'),
    kubeControllerManager: join(controlPlaneDir, 'kube-controller-manager'),
    kubeScheduler: join(controlPlaneDir, 'kube-scheduler'),
    kubectl: join(controlPlaneDir, 'kubectl'),
    kwok: join(kwokDir, 'kwok'),
    registry: join(registryDir, 'registry'),
  };
}

async function ensureTool(tool: Tool): Promise<string> {
  const flags = buildFlags(tool);
  const dir = join(cache, `${tool.name}-${versionKey(tool, flags)}`);
  if (existsSync(dir)) return dir;
  await mkdir(cache, { recursive: true });
  await withLock(`${dir}.lock`, async () => {
    if (!existsSync(dir)) await buildInto(dir, tool, flags);
  });
  return dir;
}

async function buildInto(dir: string, tool: Tool, flags: readonly string[]): Promise<void> {
  await removeUnfinished();
  const temporary = await mkdtemp(`${dir}.unfinished.${process.pid}.`);
  const progress = startProgress(`Building ${tool.description}`);
  try {
    await goBuild(join(here, tool.name), [...flags, '-o', join(temporary, tool.name)], progress.note);
    for (const link of tool.links) await symlink(tool.name, join(temporary, link));
    await rename(temporary, dir);
    progress.end('done');
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const builtByAnother = existsSync(dir);
    progress.end(builtByAnother ? 'done by another process' : 'failed');
    if (!builtByAnother) throw error;
  }
}

/** Removes what builds left that were interrupted. */
async function removeUnfinished(): Promise<void> {
  for (const name of readdirSync(cache)) {
    const pid = /\.unfinished\.(\d+)\./.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function goBuild(module: string, args: readonly string[], note: (line: string) => void): Promise<void> {
  const go = spawn('go', ['build', ...args, '.'], {
    cwd: module,
    env: { ...process.env, CGO_ENABLED: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = () => go.kill();
  process.once('exit', kill);
  let output = '';
  for (const stream of [go.stdout, go.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      note(text.trimEnd().split('\n').at(-1) ?? '');
    });
  }
  try {
    const [code] = await onceOrRethrow(go, 'close', 'go cannot be run; install Go 1.26 or newer');
    if (code !== 0) throw new Error(`go build failed in ${module}:\n${output}`);
  } finally {
    process.off('exit', kill);
  }
}

function buildFlags(tool: Tool): string[] {
  const goMod = readFileSync(join(here, tool.name, 'go.mod'), 'utf8');
  const version = goMod
    .split('\n')
    .find((line) => line.trim().startsWith(`${tool.module} v`))
    ?.trim()
    .split(' ')[1];
  if (version === undefined) throw new Error(`${tool.name}/go.mod does not require ${tool.module}`);
  const stamps = tool.versionVariables.map((variable) => `-X ${variable}=${version}`);
  return ['-trimpath', '-buildvcs=false', '-ldflags', ['-s -w', ...stamps].join(' ')];
}

function versionKey(tool: Tool, flags: readonly string[]): string {
  const hash = createHash('sha256').update([process.platform, process.arch, ...flags].join('\n'));
  for (const file of [`${tool.name}/go.mod`, `${tool.name}/go.sum`, `${tool.name}/main.go`, 'lifeline/lifeline.go']) {
    hash.update(readFileSync(join(here, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

if (import.meta.main) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  for (const path of Object.values(await ensureBinaries()) as string[]) console.log(path);
}
