/** Judges objects by kstatus itself: the library of `helm --wait`, Flux and kpt. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureTool, type GoTool } from '../cluster/go-tool.ts';

const tool: GoTool = {
  source: join(import.meta.dirname, '../kstatus'),
  description: 'kstatus (about half a minute the first time)',
  module: 'sigs.k8s.io/cli-utils',
  versionVariables: [],
  links: [],
};

/** Current, InProgress or Failed. */
export async function kstatus(object: object): Promise<string> {
  const running = promisify(execFile)(join(await ensureTool(tool), 'kstatus'));
  running.child.stdin?.end(JSON.stringify(object));
  return (await running).stdout.trim();
}
