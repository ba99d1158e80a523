// (p) The first answer of the kubectl plugin beside kubectl's, each a new process, in turn.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Environment } from './environment.ts';

const run = promisify(execFile);
const PLUGIN = join(import.meta.dirname, '../../dist/kubectl-apprelease.mjs');
const BUILD = join(import.meta.dirname, '../../scripts/build-cli.ts');

export interface FirstAnswers {
  /** Milliseconds of each run. */
  plugin: number[];
  kubectl: number[];
}

export async function measurePlugin({ controlPlane, say }: Environment, runs: number): Promise<FirstAnswers> {
  say(`(p) ${runs} lists by the plugin, and by kubectl`);
  await run(process.execPath, [BUILD]);
  const env = {
    ...process.env,
    KUBECONFIG: controlPlane.kubeconfigPath,
    KUBECACHEDIR: join(controlPlane.dir, 'kubectl-cache'),
  };
  async function time(program: string, args: readonly string[]): Promise<number> {
    const began = performance.now();
    await run(program, args, { env, maxBuffer: 1 << 28 });
    return performance.now() - began;
  }
  const answers: FirstAnswers = { plugin: [], kubectl: [] };
  // The first runs fill the caches of kubectl and of the file system.
  for (let index = -2; index < runs; index += 1) {
    const kubectl = await time(controlPlane.binaries.kubectl, ['get', 'appreleases', '--all-namespaces']);
    const plugin = await time(process.execPath, [PLUGIN, 'list', '--all-namespaces']);
    if (index < 0) continue;
    answers.kubectl.push(kubectl);
    answers.plugin.push(plugin);
  }
  return answers;
}
