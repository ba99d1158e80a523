/** The list of commands, in the order of the help. */
import type { CliCommand } from './command.ts';
import { approve } from './commands/approve.ts';
import { complete } from './commands/complete.ts';
import { completion } from './commands/completion.ts';
import { diff } from './commands/diff.ts';
import { doctor } from './commands/doctor.ts';
import { endHold } from './commands/end-hold.ts';
import { events } from './commands/events.ts';
import { explain } from './commands/explain.ts';
import { get } from './commands/get.ts';
import { history } from './commands/history.ts';
import { lint } from './commands/lint.ts';
import { list } from './commands/list.ts';
import { pause, resume } from './commands/pause.ts';
import { pools } from './commands/pools.ts';
import { promote } from './commands/promote.ts';
import { release, restart } from './commands/release.ts';
import { retry } from './commands/retry.ts';
import { rollback } from './commands/rollback.ts';
import { status } from './commands/status.ts';
import { version } from './commands/version.ts';

export const COMMANDS: readonly CliCommand[] = [
  list,
  get,
  status,
  history,
  diff,
  events,
  pools,
  explain,
  release,
  approve,
  promote,
  rollback,
  retry,
  pause,
  resume,
  restart,
  endHold,
  lint,
  doctor,
  version,
  completion,
  complete,
];
