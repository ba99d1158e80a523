/** kubectl apprelease diff: what two revisions of a release differ in. */
import { REVISIONS } from '../../controller/kinds/revisions.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { paintDiff } from '../print/diff.ts';
import { paintFor } from '../print/paint.ts';
import { diffOf, findRevision, readRevisions, titleOf } from '../read/revisions.ts';
import { withSession } from '../session.ts';

export const diff: CliCommand = {
  rights: [{ verbs: ['list'], resource: REVISIONS }],
  create: ({ io, exit }) =>
    clusterCommand('diff', 'show what two revisions of a release differ in: template, images, ports', [
      ['Two revisions by number', 'diff web 3 4 -n shop'],
      ['Two versions: the newest revision of each', 'diff web 1.0 1.1 -n shop'],
    ])
      .argument('<name>', 'the release')
      .argument('<revision>', 'the number of the older revision, or its version')
      .argument('<revision>', 'the number of the newer revision, or its version')
      .action(async (name, older, newer, options) => {
        const code = await withSession(io, options, async ({ client, namespace }) => {
          const revisions = await readRevisions(client, namespace, name);
          if (revisions.length === 0)
            throw new CliError(
              `release ${name} has no recorded revisions in namespace ${namespace}: see kubectl apprelease list`,
            );
          const [before, after] = [findRevision(revisions, older), findRevision(revisions, newer)];
          const patch = diffOf(before, after);
          if (patch === '') io.err(`${titleOf(before)} and ${titleOf(after)} do not differ.\n`);
          else io.out(paintDiff(patch, paintFor(io.isColoured)));
          return EXIT.ok;
        });
        exit(code);
      }),
};
