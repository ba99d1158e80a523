/** kubectl apprelease history: the revisions of a release, their outcome, and who promoted or took back each. */
import { Option } from '@commander-js/extra-typings';
import { stringify } from 'yaml';
import { APP_RELEASES, PROMOTIONS, ROLLBACKS } from '../../controller/kinds/api-kinds.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { historyTable } from '../print/history.ts';
import { paintFor } from '../print/paint.ts';
import { historyOf } from '../read/history.ts';
import { readInNamespace, readRelease } from '../read/releases.ts';
import { withSession } from '../session.ts';

export const history: CliCommand = {
  rights: [
    { verbs: ['get'], resource: APP_RELEASES },
    { verbs: ['list'], resource: PROMOTIONS, without: 'who promoted a revision, when and why' },
    { verbs: ['list'], resource: ROLLBACKS, without: 'who rolled a revision back, when and why' },
  ],
  create: ({ io, exit }) =>
    clusterCommand('history', 'show the revisions of a release: outcome, who promoted or took back each, digests', [
      ['The last revisions of the release web', 'history web -n shop'],
      ['With images, and the gates that edits loosened', 'history web -n shop -o wide'],
    ])
      .argument('<name>', 'the release')
      .addOption(new Option('-o, --output <format>', 'how to print it').choices(['json', 'yaml', 'wide'] as const))
      .action(async (name, options) => {
        const { output } = options;
        const code = await withSession(io, options, async ({ client, namespace, ifAllowed }) => {
          const release = await readRelease(client, namespace, name);
          const [promotions, rollbacks] = await Promise.all([
            ifAllowed('promotions', readInNamespace(client, PROMOTIONS, namespace)),
            ifAllowed('rollbacks', readInNamespace(client, ROLLBACKS, namespace)),
          ]);
          const rows = historyOf(release, { promotions, rollbacks });
          if (output === 'json') io.out(`${JSON.stringify(rows, undefined, 4)}\n`);
          else if (output === 'yaml') io.out(stringify(rows, { lineWidth: 0 }));
          else if (rows.length === 0) io.err(`No revisions of release ${name} are recorded yet.\n`);
          else io.out(historyTable(rows, io.now(), output === 'wide', paintFor(io.isColoured)));
          return EXIT.ok;
        });
        exit(code);
      }),
};
