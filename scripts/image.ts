// `make image`: builds the operator's image with Docker or Podman, and prints its size.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import manifest from '../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');

/** Runs a command of the container engine; returns its standard output. */
export type RunEngine = (args: readonly string[]) => Promise<string>;

export interface ImageOptions {
  readonly tag: string;
  /** Default: the base image in the Dockerfile. */
  readonly base?: string;
  /** Further flags for the build command. */
  readonly flags?: readonly string[];
}

/** Builds the image from the Dockerfile and dist/operator.mjs; returns its size in bytes. */
export async function buildImage(run: RunEngine, { tag, base, flags = [] }: ImageOptions): Promise<number> {
  const values = {
    VERSION: manifest.version,
    REVISION: await revision(),
    ...(base !== undefined && { BASE: base }),
  };
  const args = Object.entries(values).map(([key, value]) => `--build-arg=${key}=${value}`);
  await run(['build', ...flags, ...args, `--tag=${tag}`, `--file=${join(root, 'Dockerfile')}`, root]);
  return Number(await run(['image', 'inspect', '--format={{.Size}}', tag]));
}

/** The current commit; empty outside a repository. */
async function revision(): Promise<string> {
  const { stdout } = await promisify(execFile)('git', ['rev-parse', 'HEAD'], { cwd: root }).catch(() => ({
    stdout: '',
  }));
  return stdout.trim();
}

/** The first container engine that answers. */
async function findEngine(): Promise<RunEngine> {
  for (const engine of ['docker', 'podman']) {
    const run: RunEngine = async (args) =>
      (await promisify(execFile)(engine, args, { maxBuffer: 1 << 26 })).stdout.trim();
    const answers = await run(['info']).then(
      () => true,
      () => false,
    );
    if (answers) return run;
  }
  throw new Error('neither docker nor podman answers: install one, or start it');
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string', default: `apprelease/operator:${manifest.version}` },
      base: { type: 'string' },
    },
  });
  const { tag, base } = values;
  const size = await buildImage(await findEngine(), { tag, ...(base !== undefined && { base }) });
  console.log(`${tag}: ${(size / 1e6).toFixed(0)} MB`);
}
