// Prometheus and its promtool, from their Go module.
import { join } from 'node:path';
import { ensureTool, type GoTool } from '../cluster/go-tool.ts';

const prometheus: GoTool = {
  source: join(import.meta.dirname, 'prometheus'),
  description: 'Prometheus (about 4 minutes the first time)',
  module: 'github.com/prometheus/prometheus',
  versionVariables: ['github.com/prometheus/common/version.Version'],
  // It scrapes targets from a file, so cloud discovery is not needed.
  tags: ['remove_all_sd'],
  links: [],
};

/** Absolute paths of the executables. Builds them first if necessary. */
export async function ensurePrometheus(): Promise<{ readonly prometheus: string; readonly promtool: string }> {
  const dir = await ensureTool(prometheus);
  return { prometheus: join(dir, 'prometheus'), promtool: join(dir, 'promtool') };
}
