/** kubectl apprelease events: what happened to a release and to what belongs to it. */
import { APP_RELEASES, PROMOTIONS, ROLLBACKS } from '../../controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../controller/kinds/deployments.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { eventHeader, eventLines, eventTable } from '../print/events.ts';
import { paintFor } from '../print/paint.ts';
import { EVENTS } from '../read/events.ts';
import { readRelease } from '../read/releases.ts';
import { readEvents, watchEvents } from '../read/watch-events.ts';
import { withSession } from '../session.ts';

export const events: CliCommand = {
  rights: [
    { verbs: ['get'], resource: APP_RELEASES },
    { verbs: ['list', 'watch'], resource: EVENTS },
    { verbs: ['list', 'watch'], resource: ROLLBACKS, without: 'events of rollbacks' },
    { verbs: ['list', 'watch'], resource: PROMOTIONS, without: 'events of promotions' },
    { verbs: ['list', 'watch'], resource: DEPLOYMENTS, without: 'events of Deployments and pods' },
  ],
  create: ({ io, exit }) =>
    clusterCommand('events', 'show the events of a release, its rollbacks, promotions, Deployments and pods', [
      ['What happened to the release web', 'events web -n shop'],
      ['The same, and what happens until Ctrl-C', 'events web -n shop -w'],
    ])
      .argument('<name>', 'the release')
      .option('-w, --watch', 'show events as they come, until Ctrl-C')
      .action(async (name, { watch = false, ...options }) => {
        const code = await withSession(io, options, async (session) => {
          const { client, namespace } = session;
          const paint = paintFor(io.isColoured);
          // Whether it exists: events of a release that does not are none.
          const [{ rows, resource }] = await Promise.all([
            readEvents(session, name),
            readRelease(client, namespace, name),
          ]);
          if (watch) {
            io.out(eventHeader());
            await watchEvents(session, name, resource, (fresh) => {
              io.out(eventLines(fresh, io.now(), paint));
            });
          } else if (rows.length === 0) io.err(`No events of release ${name} in namespace ${namespace}.\n`);
          else io.out(eventTable(rows, io.now(), paint));
          return EXIT.ok;
        });
        exit(code);
      }),
};
