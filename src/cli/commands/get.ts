/** kubectl apprelease get: a release as a tree of stages, pools, revisions and pods. */
import { Option } from '@commander-js/extra-typings';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../controller/kinds/deployments.ts';
import { PODS } from '../../controller/kinds/pods.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { FORMATS, printObject } from '../print/output.ts';
import { paintFor } from '../print/paint.ts';
import { printTree } from '../print/tree.ts';
import { readOwned, readRelease } from '../read/releases.ts';
import { treeOf } from '../read/tree.ts';
import { watchRelease } from '../read/watch.ts';
import { withSession } from '../session.ts';
import { createPage } from '../print/page.ts';

export const get: CliCommand = {
  rights: [
    { verbs: ['get', 'list', 'watch'], resource: APP_RELEASES },
    { verbs: ['list', 'watch'], resource: DEPLOYMENTS, without: 'revisions' },
    { verbs: ['list', 'watch'], resource: PODS, without: 'pods' },
  ],
  create: ({ io, exit }) =>
    clusterCommand('get', 'show a release as a tree: stages, pools, revisions, pods, and what each waits for', [
      ['The state of the release web', 'get web -n shop'],
      ['The same, drawn again at each change', 'get web -n shop -w'],
    ])
      .argument('<name>', 'the release')
      .option('-w, --watch', 'show each change, until Ctrl-C')
      .addOption(new Option('-o, --output <format>', 'print the AppRelease').choices(FORMATS))
      .action(async (name, options) => {
        const { output, watch = false } = options;
        const code = await withSession(io, options, async (session) => {
          const { client, namespace, ifAllowed } = session;
          const release = await readRelease(client, namespace, name);
          if (output !== undefined) {
            io.out(printObject(output, release));
            return EXIT.ok;
          }
          const paint = paintFor(io.isColoured);
          if (watch) {
            const page = createPage(io);
            await watchRelease(session, name, (shown) => {
              page.draw(printTree(shown, io.now(), paint));
            });
            return EXIT.ok;
          }
          const [deployments, pods] = await Promise.all([
            ifAllowed('revisions', readOwned(client, DEPLOYMENTS, namespace, name)),
            ifAllowed('pods', readOwned(client, PODS, namespace, name)),
          ]);
          io.out(printTree(treeOf(release, { deployments, pods }), io.now(), paint));
          return EXIT.ok;
        });
        exit(code);
      }),
};
