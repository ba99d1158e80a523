// The container engine for kind and the tests, separate from the machine's own: its images, containers and networks
// are in .cache/kind, and are removed with it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const kindDir = join(import.meta.dirname, '../../.cache/kind');

/**
 * The network of the nodes, on either engine. Another checkout's has another name, because all engines of a machine share the
 * state of networks, by name.
 */
export const NETWORK = `apprelease-e2e-${createHash('sha256').update(kindDir).digest('hex').slice(0, 8)}`;

/** Where Podman keeps the DNS names of the containers of each network, in a file with the network's name. Set by Podman for root. */
const DNS_DIR = '/run/containers/networks/aardvark-dns';

/** Capability 24 (linux/capability.h): without it limits cannot be raised, and runtime.sh must not ask for it. */
const CAP_SYS_RESOURCE = 1n << 24n;

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Engine {
  readonly name: 'docker' | 'podman';
  /** Whether images are pulled: kind's own nodes, and the base image of the Dockerfile. Otherwise all are built here. */
  readonly pulls: boolean;
  /** Environment for all commands that use the engine. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs the engine's command and returns its standard output. */
  readonly run: (args: readonly string[], options?: RunOptions) => Promise<string>;
}

/**
 * Docker if it answers, because it can pull images; else Podman with its own files, and built images.
 * NODES=pull and NODES=build choose.
 * @throws Error that names what is missing
 */
export async function prepareEngine(): Promise<Engine> {
  const wanted = process.env['NODES'];
  if (wanted !== 'build' && (await succeeds('docker', ['info']))) return dockerEngine();
  if (!(await succeeds('podman', ['--version'])) || process.getuid?.() !== 0) {
    throw new Error('the end-to-end tests need Docker, or Podman and root');
  }
  return podmanEngine(wanted === 'pull');
}

function dockerEngine(): Engine {
  const env = { KIND_EXPERIMENTAL_PROVIDER: 'docker', KIND_EXPERIMENTAL_DOCKER_NETWORK: NETWORK };
  return { name: 'docker', pulls: true, env, run: runner('docker', env) };
}

async function podmanEngine(pulls: boolean): Promise<Engine> {
  const run = join(kindDir, 'run');
  await mkdir(run, { recursive: true });
  const confs = { containers: join(kindDir, 'containers.conf'), storage: join(kindDir, 'storage.conf') };
  await writeFile(confs.containers, containersConf());
  await writeFile(
    confs.storage,
    toml({ storage: { driver: 'overlay', graphroot: join(kindDir, 'storage'), runroot: join(run, 'storage') } }),
  );
  const env = {
    CONTAINERS_CONF: confs.containers,
    CONTAINERS_STORAGE_CONF: confs.storage,
    KIND_EXPERIMENTAL_PROVIDER: 'podman',
    KIND_EXPERIMENTAL_PODMAN_NETWORK: NETWORK,
  };
  return { name: 'podman', pulls, env, run: runner('podman', env) };
}

/**
 * Removes the network of the nodes. Names of containers that ended without the engine, as in a kill of everything, would stay in
 * its DNS, and the next network of that name would get the DNS addresses of the one before.
 */
export async function removeNetwork({ name, run }: Engine, dnsDir = DNS_DIR): Promise<void> {
  await run(['network', 'rm', '--force', NETWORK]);
  const names = join(dnsDir, NETWORK);
  if (name !== 'podman' || !existsSync(names)) return;
  await rm(names, { force: true });
  const server = await readIfExists(join(dnsDir, 'aardvark.pid'));
  const running = server && (await readIfExists(`/proc/${server}/comm`));
  // Makes it read the files again; it ends when there is none.
  if (running?.startsWith('aardvark')) process.kill(Number(server), 'SIGHUP');
}

function readIfExists(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}

function runner(command: string, env: Readonly<Record<string, string>>): Engine['run'] {
  return (args, options = {}) => execute(command, args, { ...options, env: { ...env, ...options.env } });
}

function succeeds(file: string, args: readonly string[]): Promise<boolean> {
  return execute(file, args).then(
    () => true,
    () => false,
  );
}

function containersConf(): string {
  const refused = mayNotRaiseLimits();
  return toml({
    engine: {
      events_logger: 'none',
      tmp_dir: join(kindDir, 'run/podman'),
      ...(existsSync('/run/systemd/system') ? {} : { cgroup_manager: 'cgroupfs' }),
      runtime: refused ? 'runc-within-limits' : 'runc',
      ...(refused && { runtime_supports_json: ['runc-within-limits', 'runc'] }),
    },
    ...(refused && { 'engine.runtimes': { 'runc-within-limits': [join(import.meta.dirname, 'runtime.sh')] } }),
    network: { network_backend: 'netavark', network_config_dir: join(kindDir, 'networks') },
  });
}

function mayNotRaiseLimits(): boolean {
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${bounding}`) & CAP_SYS_RESOURCE) === 0n;
}

/** Strings and lists of strings are the same in TOML and JSON. */
function toml(sections: Readonly<Record<string, object>>): string {
  return Object.entries(sections)
    .map(
      ([section, values]) =>
        `[${section}]\n${Object.entries(values)
          .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
          .join('')}`,
    )
    .join('\n');
}

/**
 * Runs a command to its end and returns its standard output.
 * @throws Error with the end of its output when it fails
 */
export async function execute(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let stdout = '';
  let all = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    all += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (all += text));
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new Error(`${file} cannot be run: install it`, { cause }));
    });
    child.once('close', (exit, signal) => {
      resolve(exit ?? signal);
    });
  });
  if (code === 0) return stdout;
  throw new Error(
    `${file} ${args.slice(0, 6).join(' ')} ended with ${code}:\n${all.trimEnd().split('\n').slice(-30).join('\n')}`,
  );
}
