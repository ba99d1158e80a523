/** kubectl apprelease version: of the plugin, the operator and the API server. */
import manifest from '../../../package.json' with { type: 'json' };
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import { OPERATORS, readOperators } from '../doctor/facts.ts';
import { EXIT } from '../exit-codes.ts';
import { withSession } from '../session.ts';

export const version: CliCommand = {
  rights: [{ verbs: ['list'], resource: OPERATORS, without: 'the version of the operator' }],
  create: ({ io, exit }) =>
    clusterCommand('version', 'print the versions of the plugin, the operator and the API server', [
      ['All of them', 'version'],
      ['Without a cluster', 'version --client'],
    ])
      .option('--client', 'the version of the plugin alone')
      .action(async (options) => {
        io.out(`Plugin: ${manifest.version}\n`);
        if (options.client === true) {
          exit(EXIT.ok);
          return;
        }
        const code = await withSession(io, options, async ({ client, ifAllowed }) => {
          const [operators, server] = await Promise.all([
            ifAllowed('the operator', readOperators(client)),
            client.version(),
          ]);
          if (operators?.length === 0) io.out('Operator: none found\n');
          for (const { metadata, spec } of operators ?? [])
            io.out(
              `Operator: ${spec?.template.spec.containers[0]?.image ?? '-'} (${metadata.namespace ?? ''}/${metadata.name})\n`,
            );
          io.out(`Kubernetes: ${server.gitVersion}\n`);
          return EXIT.ok;
        });
        exit(code);
      }),
};
