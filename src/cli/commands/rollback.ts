/** kubectl apprelease rollback: takes releases back to a version that was good. */
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { RollbackPoolStatus } from '../../api/release-rollback.ts';
import { APP_RELEASES, ROLLBACKS } from '../../controller/kinds/api-kinds.ts';
import { REVISIONS } from '../../controller/kinds/revisions.ts';
import { listAll } from '../../kube/client.ts';
import type { ActOptions, WaitOptions } from '../act/command.ts';
import { collect, requestCommand } from '../act/command.ts';
import { mayGoOn } from '../act/ask.ts';
import { makeRequests } from '../act/request.ts';
import { readRequester, SELF_SUBJECT_REVIEWS } from '../act/requester.ts';
import { tellTo, timeBetween } from '../act/tell.ts';
import type { CliCommand } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { CliError, EXIT } from '../exit-codes.ts';
import { paintFor } from '../print/paint.ts';
import type { ReleaseChange } from '../print/rollback-preview.ts';
import { rollbackTable } from '../print/rollback-preview.ts';
import { knownRevisions, readRecords } from '../read/known-revisions.ts';
import type { LiveRelease } from '../read/releases.ts';
import { PAGE, readRelease } from '../read/releases.ts';
import type { RollbackWish } from '../read/rollback-preview.ts';
import { previewRollback } from '../read/rollback-preview.ts';
import type { Session } from '../session.ts';
import { withSession } from '../session.ts';

const EXIT_CODES = `
Exit codes:
  0  the rollback is created; with --wait: every pool serves its target
  1  it was rejected, or it ended before every pool was back
  2  with --wait: the time is over
  3  with --wait: the target does not get ready, and a person has to act
`;

interface RollbackOptions extends ActOptions, WaitOptions, RollbackWish {
  readonly reason?: string | undefined;
}

export const rollback: CliCommand = {
  rights: [
    { verbs: ['create'], resource: ROLLBACKS },
    { verbs: ['get', 'list'], resource: APP_RELEASES, without: 'what will change; -l needs the right to list' },
    { verbs: ['list'], resource: REVISIONS, without: 'in which pools a version was good' },
    { verbs: ['get', 'list', 'watch'], resource: ROLLBACKS, without: 'the answer of the operator, and --wait' },
    { verbs: ['create'], resource: SELF_SUBJECT_REVIEWS, without: 'your name in spec.requestedBy' },
  ],
  create: ({ io, exit }) =>
    requestCommand('rollback', 'take releases back to a version that was good', [
      ['Take every pool back to the last good version', 'rollback web -n shop --reason "too many errors"'],
      ['To a version that was good before, and wait until it serves', 'rollback web -n shop --to 1.0 --wait'],
      ['One pool', 'rollback web -n shop --pool prod-a'],
      ['All releases of a team side by side', 'rollback -n shop -l team=cart --wait'],
      ['See what would change', 'rollback web -n shop --dry-run=server'],
    ])
      .addHelpText('after', EXIT_CODES)
      .argument('[name]', 'the release')
      .option('-l, --selector <selector>', 'all releases with these labels, such as team=shop')
      .addOption(
        new Option('--to <version>', 'the version to return to; default: the last good one of each pool').conflicts(
          'toRevision',
        ),
      )
      .addOption(new Option('--to-revision <revision>', 'the revision to return to').argParser(parseRevisionNumber))
      .addOption(new Option('--pool <pool>', 'a pool to take back; may be repeated; default: all').argParser(collect))
      .option('--force', 'also past a barrier')
      .action(async (name, options) => {
        const { selector, to, pool, force = false, ...rest } = options;
        const code = await withSession(io, options, async (session) => {
          const releases = await readReleases(session, name, selector);
          return rollBack(session, releases, { ...rest, force, toVersion: to, pools: pool });
        });
        exit(code);
      }),
};

function parseRevisionNumber(text: string): number {
  const revision = Number(text);
  if (!Number.isSafeInteger(revision) || revision < 1)
    throw new InvalidArgumentError('It must be the number of a revision, from 1.');
  return revision;
}

interface Chosen {
  readonly name: string;
  /** undefined: the user may not read it. */
  readonly release: LiveRelease | undefined;
}

async function readReleases(
  { client, namespace, ifAllowed }: Session,
  name: string | undefined,
  selector: string | undefined,
): Promise<Chosen[]> {
  if ((name === undefined) === (selector === undefined))
    throw new CliError('name one release, or several by their labels: rollback NAME, or rollback -l SELECTOR');
  if (name !== undefined)
    return [{ name, release: await ifAllowed('what will change', readRelease(client, namespace, name)) }];
  const { items } = await listAll(client, APP_RELEASES, {
    namespace,
    ...(selector !== undefined && { labelSelector: selector }),
    limit: PAGE,
  });
  if (items.length === 0) throw new CliError(`no release in namespace ${namespace} has the labels ${selector ?? ''}`);
  return items.map((release) => ({ name: release.metadata.name, release }));
}

async function rollBack(session: Session, releases: readonly Chosen[], options: RollbackOptions): Promise<ExitCode> {
  const { io } = session;
  const { reason, toVersion, toRevision, pools, force } = options;
  const [requestedBy, changes] = await Promise.all([readRequester(session), previewAll(session, releases, options)]);
  tellTo(io, options)(rollbackTable(changes, paintFor(io.isColoured)));
  for (const { release } of releases)
    if (release && release.status?.observedGeneration !== release.metadata.generation)
      io.err(`note: the operator has not seen the newest spec of ${release.metadata.name} yet\n`);
  const names = releases.map(({ name }) => name).join(', ');
  const what = releases.length === 1 ? `release ${names}` : `${releases.length} releases (${names})`;
  if (!(await mayGoOn(io, `Roll back ${what}?`, options))) return EXIT.failed;
  return makeRequests(session, {
    resource: ROLLBACKS,
    options,
    specs: releases.map(({ name: release }) => ({
      release,
      force,
      ...(toVersion !== undefined && { toVersion }),
      ...(toRevision !== undefined && { toRevision }),
      ...(pools && pools.length > 0 && { pools: [...new Set(pools)] }),
      ...(reason !== undefined && { reason }),
      ...(requestedBy !== undefined && { requestedBy }),
    })),
    news: ({ status: before }, { status }) => poolNews(before?.pools, status?.pools, status?.acceptedAt),
  });
}

async function previewAll(
  { client, namespace, ifAllowed }: Session,
  releases: readonly Chosen[],
  wish: RollbackWish,
): Promise<ReleaseChange[]> {
  const namesTarget = wish.toVersion !== undefined || wish.toRevision !== undefined;
  const changes = releases.map(async ({ name, release }): Promise<ReleaseChange[]> => {
    if (!release) return [];
    // Without a target, the status says all.
    const records = namesTarget
      ? await ifAllowed('in which pools a version was good', readRecords(client, namespace, name))
      : undefined;
    return [{ release: name, pools: previewRollback(release, wish, knownRevisions(records, release.status)) }];
  });
  return (await Promise.all(changes)).flat();
}

/** A line for each pool that has come to its target since. */
export function poolNews(
  before: readonly RollbackPoolStatus[] | undefined,
  now: readonly RollbackPoolStatus[] | undefined,
  acceptedAt: string | undefined,
): string[] {
  const done = new Set(before?.flatMap(({ name, completedAt }) => (completedAt === undefined ? [] : [name])));
  return (now ?? []).flatMap(({ name, from, to, message, completedAt, supersededBy }) => {
    if (completedAt === undefined || done.has(name) || supersededBy !== undefined) return [];
    if (message !== undefined) return [`pool ${name}: stays: ${message}`];
    if (from === to) return [`pool ${name}: stays at revision ${to ?? '-'}`];
    const time = timeBetween(acceptedAt, completedAt);
    return [`pool ${name}: serves revision ${to ?? '-'}${time === undefined ? '' : ` after ${time}`}`];
  });
}
