// Builds executables from Go modules, once per version.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { isAlive, withLock } from './lock.ts';
import { onceOrRethrow, startProgress } from './progress.ts';

const cache = join(import.meta.dirname, '../../.cache/bin');
const exitWithParent = join(import.meta.dirname, 'exitwithparent/exitwithparent.go');

/** One Go module that becomes one executable, or several where it has `tool` directives in place of a main.go. */
export interface GoTool {
  /** Folder with the module's go.mod; its name is that of the executable, or of the folder with several. */
  readonly source: string;
  /** The file that is read in place of go.mod, with its own .sum beside it: other versions of the same sources. */
  readonly modfile?: string;
  readonly description: string;
  /** Module whose version the executables are stamped with, in these variables. */
  readonly module: string;
  readonly versionVariables: readonly string[];
  /** Build tags. */
  readonly tags?: readonly string[];
  /** Further names of the executable, which chooses what to do by the name it is called by. */
  readonly links: readonly string[];
}

/**
 * Builds what is missing; returns in milliseconds when nothing is. Needs Go, and the network for the first build.
 * @returns the folder with the executables
 * @throws Error with the output of `go build`
 */
export async function ensureTool(tool: GoTool): Promise<string> {
  const flags = buildFlags(tool);
  const dir = join(cache, `${basename(tool.source)}-${versionKey(tool, flags)}`);
  if (existsSync(dir)) return dir;
  await mkdir(cache, { recursive: true });
  await withLock(`${dir}.lock`, async () => {
    if (!existsSync(dir)) await buildInto(dir, tool, flags);
  });
  return dir;
}

async function buildInto(dir: string, tool: GoTool, flags: readonly string[]): Promise<void> {
  await removeUnfinished();
  const temporary = await mkdtemp(`${dir}.unfinished.${process.pid}.`);
  const progress = startProgress(`Building ${tool.description}`);
  const name = basename(tool.source);
  const [target, packages] = hasMain(tool) ? [join(temporary, name), '.'] : [`${temporary}/`, 'tool'];
  try {
    await goBuild(tool.source, [...flags, '-o', target, packages], temporary, progress.note);
    for (const link of tool.links) await symlink(name, join(temporary, link));
    await rename(temporary, dir);
    progress.end('done');
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    const builtByAnother = existsSync(dir);
    progress.end(builtByAnother ? 'done by another process' : 'failed');
    if (!builtByAnother) throw error;
  }
}

function hasMain({ source }: GoTool): boolean {
  return existsSync(join(source, 'main.go'));
}

/** Removes remains of interrupted builds. */
async function removeUnfinished(): Promise<void> {
  for (const name of readdirSync(cache)) {
    const pid = /\.unfinished\.(\d+)\./.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(cache, name), { recursive: true, force: true });
  }
}

async function goBuild(
  module: string,
  args: readonly string[],
  temporary: string,
  note: (line: string) => void,
): Promise<void> {
  const go = spawn('go', ['build', ...args], {
    cwd: module,
    // Remains of an interrupted build are removed with the folder.
    env: { ...process.env, CGO_ENABLED: '0', GOTMPDIR: temporary },
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

function buildFlags({ source, modfile, module, versionVariables, tags = [] }: GoTool): string[] {
  const version = versionVariables.length > 0 ? moduleVersion(source, module, modfile) : '';
  const stamps = versionVariables.map((variable) => `-X ${variable}=${version}`);
  const tagged = tags.length > 0 ? [`-tags=${tags.join(',')}`] : [];
  const modules = modfile === undefined ? [] : [`-modfile=${modfile}`];
  return ['-trimpath', '-buildvcs=false', ...modules, ...tagged, '-ldflags', ['-s -w', ...stamps].join(' ')];
}

/** The version of a module that a go.mod requires, such as v1.36.3. */
export function moduleVersion(source: string, module: string, modfile = 'go.mod'): string {
  const version = readFileSync(join(source, modfile), 'utf8')
    .split('\n')
    .find((line) => line.trim().startsWith(`${module} v`))
    ?.trim()
    .split(' ')[1];
  if (version === undefined) throw new Error(`${source}/${modfile} does not require ${module}`);
  return version;
}

/** The folder of a module that the go.mod in `source` requires. Needs Go, and the network for the first time. */
export async function moduleDir(source: string, module: string): Promise<string> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', module], { cwd: source });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}

function versionKey(tool: GoTool, flags: readonly string[]): string {
  const hash = createHash('sha256').update([process.platform, process.arch, ...flags].join('\n'));
  const sources = readdirSync(tool.source).filter((file) => file.endsWith('.go') && file !== 'main.go');
  const { modfile = 'go.mod' } = tool;
  const modules = [modfile, modfile.replace(/\.mod$/, '.sum')];
  const files = [...modules, 'main.go', ...sources.sort()].map((file) => join(tool.source, file));
  for (const file of [...files, exitWithParent].filter(existsSync)) hash.update(readFileSync(file));
  return hash.digest('hex').slice(0, 12);
}
