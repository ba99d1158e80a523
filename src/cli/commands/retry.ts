/** kubectl apprelease retry: tries a version again that failed or was rolled back. */
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { REVISIONS } from '../../controller/kinds/revisions.ts';
import { requestCommand } from '../act/command.ts';
import { promote, PROMOTION_EXIT_CODES, PROMOTION_RIGHTS } from '../act/promotion.ts';
import { tellTo } from '../act/tell.ts';
import type { CliCommand } from '../command.ts';
import { knownRevisions, readRecords } from '../read/known-revisions.ts';
import { retryOf } from '../read/promotion-preview.ts';
import { readRelease, versionOf } from '../read/releases.ts';
import { withSession } from '../session.ts';

export const retry: CliCommand = {
  rights: [
    { verbs: ['get'], resource: APP_RELEASES },
    { verbs: ['list'], resource: REVISIONS, without: 'why the version failed in which pool' },
    ...PROMOTION_RIGHTS,
  ],
  create: ({ io, exit }) =>
    requestCommand('retry', 'try the wanted version again after it failed or was rolled back', [
      ['Again in the stage where it failed', 'retry web -n shop --reason "the database is back"'],
      ['In another stage', 'retry web -n shop --stage canary --wait'],
    ])
      .addHelpText('after', PROMOTION_EXIT_CODES)
      .argument('<name>', 'the release')
      .option('--stage <stage>', 'the stage; default: where it failed, or the first one that it was taken out of')
      .action(async (name, options) => {
        const code = await withSession(io, options, async (session) => {
          const { client, namespace, ifAllowed } = session;
          const [release, records] = await Promise.all([
            readRelease(client, namespace, name),
            ifAllowed('why the version failed in which pool', readRecords(client, namespace, name)),
          ]);
          const found = retryOf(release, knownRevisions(records, release.status));
          const { revision, why } = found;
          const stage = options.stage ?? found.stage;
          tellTo(io, options)(`Version ${versionOf(release)} (revision ${revision}) is tried again: ${why}\n`);
          const question = `Try ${versionOf(release)} of release ${name} again in stage ${stage}?`;
          return promote(session, { name, release, stage, revision, question }, options);
        });
        exit(code);
      }),
};
