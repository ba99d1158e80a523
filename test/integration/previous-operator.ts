// The operator of an earlier commit, built from the history of this repository, for upgrade tests.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);

/** The commit from which upgrades are tested; UPGRADE_FROM names another. */
const COMMIT = process.env['UPGRADE_FROM'] ?? '76c8247';

export interface PreviousOperator {
  /** The bundle, for Node. */
  readonly bundle: string;
  /** The folder with its CRDs. */
  readonly crds: string;
}

/**
 * Builds the operator once, into a folder that later runs reuse.
 * @throws Error if the history does not have the commit, for example in a shallow clone
 */
export async function buildPreviousOperator(): Promise<PreviousOperator> {
  const { stdout } = await run('git', ['rev-parse', '--verify', `${COMMIT}^{commit}`], { cwd: root }).catch(() => {
    throw new Error(`the history has no commit ${COMMIT} to upgrade from: fetch it whole (git fetch --unshallow)`);
  });
  const commit = stdout.trim();
  const folder = join(root, '.cache/upgrade', commit);
  const bundle = join(folder, 'operator.mjs');
  if (!existsSync(bundle)) {
    // Inside the repository, so that the sources find node_modules.
    const unfinished = `${folder}.unfinished.${process.pid}`;
    await mkdir(unfinished, { recursive: true });
    await run('sh', ['-c', `git archive ${commit} src crds scripts package.json | tar -x -C "$0"`, unfinished], {
      cwd: root,
    });
    await run(process.execPath, [join(unfinished, 'scripts/build.ts'), join(unfinished, 'operator.mjs')]);
    for (const name of ['src', 'scripts', 'package.json']) await rm(join(unfinished, name), { recursive: true });
    await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true, force: true }));
  }
  return { bundle, crds: join(folder, 'crds') };
}
