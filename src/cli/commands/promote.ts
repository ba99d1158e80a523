/** kubectl apprelease promote: lets the wanted version into a stage. */
import { Option } from '@commander-js/extra-typings';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { requestCommand } from '../act/command.ts';
import { promote as createPromotion, PROMOTION_EXIT_CODES, PROMOTION_RIGHTS } from '../act/promotion.ts';
import type { CliCommand } from '../command.ts';
import { CliError } from '../exit-codes.ts';
import { nextStage, revisionToName } from '../read/promotion-preview.ts';
import { readRelease, versionOf } from '../read/releases.ts';
import { withSession } from '../session.ts';

export const promote: CliCommand = {
  rights: [
    { verbs: ['get'], resource: APP_RELEASES, without: 'what will change; the stage has to be named' },
    ...PROMOTION_RIGHTS,
  ],
  create: ({ io, exit }) =>
    requestCommand('promote', 'let the wanted version into its next stage, or into a stage by name', [
      ['Into the next stage', 'promote web -n shop --reason "looked at the canary"'],
      ['Into a stage, without waiting for the soak before it', 'promote web production -n shop --skip-soak --wait'],
    ])
      .addHelpText('after', PROMOTION_EXIT_CODES)
      .argument('<name>', 'the release')
      .argument('[stage]', 'the stage; default: the first one that the version has not entered')
      .addOption(new Option('--version <version>', 'the version; default: the one that the spec wants'))
      .option('--skip-soak', 'do not wait for the soak of the stage before')
      .action(async (name, givenStage, options) => {
        const { version, skipSoak = false } = options;
        const code = await withSession(io, options, async (session) => {
          const { client, namespace, ifAllowed } = session;
          const release = await ifAllowed('what will change', readRelease(client, namespace, name));
          const stage = givenStage ?? (release && nextStage(release));
          if (stage === undefined) throw new CliError(`name the stage: promote ${name} STAGE`);
          const asked = version ?? (release && versionOf(release)) ?? 'the wanted version';
          return createPromotion(
            session,
            {
              name,
              release,
              stage,
              version,
              revision: release && revisionToName(release),
              skipSoak,
              question: `Let ${asked} of release ${name} into stage ${stage}${skipSoak ? ' without a soak' : ''}?`,
            },
            options,
          );
        });
        exit(code);
      }),
};
