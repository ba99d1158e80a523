/** kubectl apprelease end-hold: deletes the rollbacks that keep a version out of a release. */
import { conditionIs } from '../../api/conditions.ts';
import { APP_RELEASES, ROLLBACKS } from '../../controller/kinds/api-kinds.ts';
import { listAll } from '../../kube/client.ts';
import { mayGoOn } from '../act/ask.ts';
import { actCommand } from '../act/command.ts';
import { tellDone, tellTo } from '../act/tell.ts';
import type { CliCommand } from '../command.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { PAGE, readRelease, versionOf } from '../read/releases.ts';
import { withSession } from '../session.ts';

export const endHold: CliCommand = {
  rights: [
    { verbs: ['list', 'delete'], resource: ROLLBACKS },
    { verbs: ['get'], resource: APP_RELEASES, without: 'the version that may enter again' },
  ],
  create: ({ io, exit }) =>
    actCommand('end-hold', 'delete the rollbacks that hold a release, which opens its gates again', [
      ['The version that was taken back may enter again, with approvals', 'end-hold web -n shop'],
    ])
      .argument('<name>', 'the release')
      .action(async (name, options) => {
        const code = await withSession(io, options, async ({ client, namespace, ifAllowed }) => {
          const [{ items }, release] = await Promise.all([
            listAll(client, ROLLBACKS, { namespace, limit: PAGE }),
            ifAllowed('the version that may enter again', readRelease(client, namespace, name)),
          ]);
          const holds = items.filter(
            ({ spec, status }) => spec.release === name && conditionIs(status?.conditions, 'InForce', 'True'),
          );
          if (holds.length === 0) throw new CliError(`no ReleaseRollback holds release ${name}`);
          const version = release ? `version ${versionOf(release)}` : 'the version that they keep out';
          const tell = tellTo(io, options);
          for (const { metadata, status } of holds)
            tell(
              `ReleaseRollback ${metadata.name} holds release ${name} at ${status?.toVersion ?? 'what it serves'}.\n`,
            );
          tell(`Without it ${version} may enter each stage again, after an approval.\n`);
          if (!(await mayGoOn(io, `End the hold of release ${name}?`, options))) return EXIT.failed;
          for (const hold of holds) {
            const { name: rollback, uid } = hold.metadata;
            const dryRun = options.dryRun === 'server';
            await client.delete(ROLLBACKS, { namespace, name: rollback }, { preconditions: { uid }, dryRun });
            tellDone(io, hold, 'deleted', options);
          }
          return EXIT.ok;
        });
        exit(code);
      }),
};
