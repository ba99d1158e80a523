/** kubectl apprelease pools: the VMs of the VMPools, and what runs on them. */
import { Option } from '@commander-js/extra-typings';
import { VM_POOLS } from '../../controller/kinds/api-kinds.ts';
import { listAll } from '../../kube/client.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { FORMATS, isFormat, printList, printObject } from '../print/output.ts';
import { paintFor } from '../print/paint.ts';
import { poolDetails, poolTable } from '../print/pools.ts';
import { PAGE } from '../read/releases.ts';
import { withSession } from '../session.ts';

export const pools: CliCommand = {
  rights: [{ verbs: ['get', 'list'], resource: VM_POOLS }],
  create: ({ io, exit }) =>
    clusterCommand('pools', 'show the VMs of each VMPool: ready, draining, their load and systems', [
      ['All VMPools', 'pools'],
      ['One, with its releases, zones, systems and oldest boots', 'pools production'],
    ])
      .argument('[pool]', 'the VMPool')
      .addOption(new Option('-o, --output <format>', 'how to print them').choices([...FORMATS, 'wide'] as const))
      .action(async (name, options) => {
        const { output } = options;
        const code = await withSession(io, options, async ({ client }) => {
          const paint = paintFor(io.isColoured);
          const isWide = output === 'wide';
          if (name !== undefined) {
            const pool = await client.get(VM_POOLS, { name });
            if (isFormat(output)) io.out(printObject(output, pool));
            else io.out(poolTable([pool], io.now(), isWide, paint) + poolDetails(pool, io.now(), paint));
            return EXIT.ok;
          }
          const { items } = await listAll(client, VM_POOLS, { limit: PAGE });
          if (isFormat(output)) io.out(printList(output, items));
          else if (items.length === 0) io.err('No VMPools found.\n');
          else io.out(poolTable(items, io.now(), isWide, paint));
          return EXIT.ok;
        });
        exit(code);
      }),
};
