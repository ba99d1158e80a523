/** Creates a ReleasePromotion: what promote, approve and retry have in common. */
import { PROMOTIONS } from '../../controller/kinds/api-kinds.ts';
import type { Right } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { EXIT } from '../exit-codes.ts';
import { promotionTable } from '../print/promotion-preview.ts';
import { servedText } from '../print/rollback-preview.ts';
import { stageEntries, stageNamed } from '../read/promotion-preview.ts';
import type { LiveRelease } from '../read/releases.ts';
import { versionOf } from '../read/releases.ts';
import type { Session } from '../session.ts';
import { mayGoOn } from './ask.ts';
import type { ActOptions, WaitOptions } from './command.ts';
import { makeRequests } from './request.ts';
import { readRequester, SELF_SUBJECT_REVIEWS } from './requester.ts';
import { tellTo } from './tell.ts';

export const PROMOTION_RIGHTS: readonly Right[] = [
  { verbs: ['create'], resource: PROMOTIONS },
  { verbs: ['get', 'list', 'watch'], resource: PROMOTIONS, without: 'the answer of the operator, and --wait' },
  { verbs: ['create'], resource: SELF_SUBJECT_REVIEWS, without: 'your name in spec.requestedBy' },
];

export const PROMOTION_EXIT_CODES = `
Exit codes:
  0  the promotion is created; with --wait: the version is in the stage, or went on from the step
  1  it was rejected, or is of no use any more
  2  with --wait: the time is over
  3  with --wait: it waits for a person: a pause, a rollback that holds, a failure
`;

export interface PromotionOptions extends ActOptions, WaitOptions {
  readonly reason?: string | undefined;
}

export interface PromotionPlan {
  readonly name: string;
  /** undefined: the user may not read it. */
  readonly release: LiveRelease | undefined;
  readonly stage: string;
  readonly step?: number | undefined;
  readonly version?: string | undefined;
  readonly revision?: number | undefined;
  readonly skipSoak?: boolean | undefined;
  /** What a person is asked. */
  readonly question: string;
}

export async function promote(
  session: Session,
  { name, release, stage, step, version, revision, skipSoak = false, question }: PromotionPlan,
  options: PromotionOptions,
): Promise<ExitCode> {
  const { io } = session;
  if (release) {
    const pools = stageEntries(release, stageNamed(release, stage));
    tellTo(io, options)(promotionTable(stage, pools, targetText(release, version)));
    if (release.status?.observedGeneration !== release.metadata.generation)
      io.err(`note: the operator has not seen the newest spec of ${name} yet\n`);
    if (version !== undefined && version !== versionOf(release))
      io.err(`note: the spec wants version ${versionOf(release)}, and the operator lets no other version in\n`);
  }
  const requestedBy = await readRequester(session);
  if (!(await mayGoOn(io, question, options))) return EXIT.failed;
  const { reason } = options;
  return makeRequests(session, {
    resource: PROMOTIONS,
    options,
    specs: [
      {
        release: name,
        stage,
        skipSoak,
        ...(step !== undefined && { step }),
        ...(version !== undefined && { version }),
        ...(version === undefined && revision !== undefined && { revision }),
        ...(reason !== undefined && { reason }),
        ...(requestedBy !== undefined && { requestedBy }),
      },
    ],
  });
}

/** What the pools get: 2.0 (revision 2). */
function targetText(release: LiveRelease, asked: string | undefined): string {
  const { revision, version } = release.status ?? {};
  if (revision === undefined || version === undefined || (asked ?? version) !== version)
    return asked ?? versionOf(release);
  return servedText({ revision, version });
}
