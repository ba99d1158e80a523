/** kubectl apprelease explain: what a reason of a condition means, and what to do. It needs no cluster. */
import type { CliCommand } from '../command.ts';
import { plainCommand } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printExplanation } from '../print/explanation.ts';
import { paintFor } from '../print/paint.ts';
import { explain as explanationsOf, similarReasons } from '../read/reasons.ts';
import { troubleshootingPage } from '../read/troubleshooting.ts';

/** Longer lines are hard to read. */
const WIDEST = 100;

export const explain: CliCommand = {
  rights: [],
  create: ({ io, exit }) =>
    plainCommand('explain', 'explain a reason of a condition, and what to do', [
      ['What Soaking means', 'explain Soaking'],
    ])
      .argument('<reason>', 'the reason, such as WaitingForApproval')
      .action((reason) => {
        const found = explanationsOf(troubleshootingPage(), reason);
        const width = Math.min(WIDEST, io.isTerminal ? io.size().columns : WIDEST);
        const paint = paintFor(io.isColoured);
        if (found.length > 0) {
          io.out(found.map((one) => printExplanation(one, width, paint)).join('\n'));
          exit(EXIT.ok);
          return;
        }
        const similar = similarReasons(reason);
        const hint = similar.length > 0 ? `did you mean ${similar.join(', ')}?` : 'see docs/troubleshooting.md';
        io.err(`error: no condition has the reason ${reason}: ${hint}\n`);
        exit(EXIT.failed);
      }),
};
