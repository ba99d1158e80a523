/** kubectl apprelease approve: approves what waits for an approval. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { requestCommand } from '../act/command.ts';
import { promote, PROMOTION_EXIT_CODES, PROMOTION_RIGHTS } from '../act/promotion.ts';
import type { CliCommand } from '../command.ts';
import { approvalText, chooseApproval, revisionToName } from '../read/promotion-preview.ts';
import { readRelease, versionOf } from '../read/releases.ts';
import { withSession } from '../session.ts';

export const approve: CliCommand = {
  rights: [{ verbs: ['get'], resource: APP_RELEASES }, ...PROMOTION_RIGHTS],
  create: ({ io, exit }) =>
    requestCommand('approve', 'approve what waits for an approval now: a stage, or a step of its exposure', [
      ['What waits', 'approve web -n shop --reason "looked at the errors"'],
      ['The second step of a stage, if it waits', 'approve web -n shop --stage production --step 2'],
    ])
      .addHelpText('after', PROMOTION_EXIT_CODES)
      .argument('<name>', 'the release')
      .option('--stage <stage>', 'the stage, if several wait')
      .addOption(new Option('--step <step>', 'the step of the exposure, from 1').argParser(parseStep))
      .action(async (name, options) => {
        const code = await withSession(io, options, async (session) => {
          const release = await readRelease(session.client, session.namespace, name);
          const { stage, step } = chooseApproval(release, options);
          const question = `Approve ${approvalText({ stage, ...(step !== undefined && { step }) })} for ${versionOf(release)} of release ${name}?`;
          const plan = { name, release, stage, step, revision: revisionToName(release), question };
          return promote(session, plan, options);
        });
        exit(code);
      }),
};

function parseStep(text: string): number {
  const step = Number(text);
  if (!Number.isSafeInteger(step) || step < 1)
    throw new InvalidArgumentError('It must be the number of a step, from 1.');
  return step;
}
