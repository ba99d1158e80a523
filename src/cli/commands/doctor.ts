/** kubectl apprelease doctor: what is wrong with the installation in the cluster. */
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { LEASES } from '../../kube/lease.ts';
import type { CliCommand } from '../command.ts';
import { clusterCommand } from '../command.ts';
import type { Finding } from '../doctor/checks.ts';
import { CHECKS } from '../doctor/checks.ts';
import type { Facts } from '../doctor/facts.ts';
import { BINDINGS, CRDS, OPERATORS, readFacts } from '../doctor/facts.ts';
import { EXIT } from '../exit-codes.ts';
import type { Paint, Tone } from '../print/paint.ts';
import { paintFor } from '../print/paint.ts';
import { table } from '../print/table.ts';
import { withSession } from '../session.ts';

export const doctor: CliCommand = {
  rights: [
    { verbs: ['get'], resource: CRDS, without: 'the check of the CRDs' },
    { verbs: ['list'], resource: OPERATORS, without: 'the checks of the operator and its leader' },
    { verbs: ['get'], resource: LEASES, without: 'the check of the leader' },
    { verbs: ['list'], resource: BINDINGS, without: 'the check of the policies' },
    { verbs: ['list'], resource: APP_RELEASES, without: 'the check of the releases' },
  ],
  create: ({ io, exit }) =>
    clusterCommand('doctor', 'check the installation: kinds, operator, leader, policies, releases', [
      ['Why does nothing happen?', 'doctor'],
    ]).action(async (options) => {
      const code = await withSession(io, options, async (session) => {
        const facts = await readFacts(session);
        const found = findingsOf(facts);
        io.out(findingTable(found, paintFor(io.isColoured)));
        return found.some(({ finding }) => finding.state === 'bad') ? EXIT.failed : EXIT.ok;
      });
      exit(code);
    }),
};

function findingsOf(facts: Facts): { title: string; finding: Finding }[] {
  return CHECKS.flatMap(({ title, find }) => find(facts).map((finding) => ({ title, finding })));
}

const TONES: Readonly<Record<Finding['state'], Tone>> = { ok: 'good', warning: 'waits', bad: 'bad', unknown: 'dim' };

function findingTable(found: ReturnType<typeof findingsOf>, paint: Paint): string {
  return table(
    ['CHECK', 'RESULT', 'MESSAGE'],
    found.map(({ title, finding: { state, text } }) => [title, paint(TONES[state], state), text]),
  );
}
