/** kubectl apprelease list: the releases of a namespace, or of all. */
import { Option } from '@commander-js/extra-typings';
import { conditionIs } from '../../api/conditions.ts';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { listAll } from '../../kube/client.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { ageOf } from '../print/age.ts';
import { FORMATS, isFormat, printList } from '../print/output.ts';
import type { Paint } from '../print/paint.ts';
import { paintFor } from '../print/paint.ts';
import { table } from '../print/table.ts';
import type { LiveRelease } from '../read/releases.ts';
import { PAGE, versionOf } from '../read/releases.ts';
import { stateOf } from '../read/state.ts';
import { withSession } from '../session.ts';

export const list: CliCommand = {
  rights: [{ verbs: ['list'], resource: APP_RELEASES }],
  create: ({ io, exit }) =>
    clusterCommand('list', 'list releases with their version and state', [
      ['The releases of the namespace', 'list'],
      ['All releases of a team, with messages', 'list -A -l team=shop -o wide'],
    ])
      .alias('ls')
      .option('-A, --all-namespaces', 'all namespaces')
      .option('-l, --selector <selector>', 'labels of the AppReleases, such as team=shop')
      .addOption(new Option('-o, --output <format>', 'how to print them').choices([...FORMATS, 'wide'] as const))
      .action(async (options) => {
        const { allNamespaces = false, selector, output } = options;
        const code = await withSession(io, options, async ({ client, namespace }) => {
          const { items } = await listAll(client, APP_RELEASES, {
            ...(!allNamespaces && { namespace }),
            ...(selector !== undefined && { labelSelector: selector }),
            limit: PAGE,
          });
          if (isFormat(output)) io.out(printList(output, items));
          else if (items.length === 0)
            io.err(allNamespaces ? 'No releases found.\n' : `No releases found in namespace ${namespace}.\n`);
          else
            io.out(
              releaseTable(items, io.now(), { allNamespaces, isWide: output === 'wide' }, paintFor(io.isColoured)),
            );
          return EXIT.ok;
        });
        exit(code);
      }),
};

export interface ListLayout {
  readonly allNamespaces: boolean;
  readonly isWide: boolean;
}

export function releaseTable(
  releases: readonly LiveRelease[],
  now: number,
  { allNamespaces, isWide }: ListLayout,
  paint: Paint,
): string {
  const header = [
    ...(allNamespaces ? ['NAMESPACE'] : []),
    ...['NAME', 'VERSION', 'STATE', 'STAGE', 'POOLS'],
    ...(isWide ? ['AVAILABLE', 'REVISION', 'AGE', 'MESSAGE'] : ['AGE']),
  ];
  const rows = releases.map((release) => {
    const { metadata, status } = release;
    const { reason, message, tone } = stateOf(release);
    const age = ageOf(metadata.creationTimestamp, now);
    return [
      ...(allNamespaces ? [metadata.namespace ?? ''] : []),
      ...[metadata.name, versionOf(release), paint(tone, reason), status?.stage ?? '-', status?.readyPools ?? '-'],
      ...(isWide
        ? [
            conditionIs(status?.conditions, 'Available', 'True') ? 'True' : 'False',
            String(status?.revision ?? '-'),
            age,
            message,
          ]
        : [age]),
    ];
  });
  return table(header, rows);
}
