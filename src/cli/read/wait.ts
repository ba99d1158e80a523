/** Waits for a verdict on a release. */
import type { Session } from '../session.ts';
import { describeError } from '../errors.ts';
import { followRelease } from './follow.ts';
import type { LiveRelease } from './releases.ts';
import type { Question, Verdict } from './verdict.ts';
import { seenBy, verdictOf } from './verdict.ts';

export interface WaitOptions {
  readonly name: string;
  /** The release as it was read. */
  readonly release: LiveRelease;
  readonly question: Question;
  /** 0: the release is not read again. */
  readonly timeoutMs: number;
  /** Receives each text that differs from the one before, while the release waits. */
  readonly onProgress: (text: string) => void;
}

/** The verdict; one of the kind `Waits` says what the release waited for when the time was over, or at Ctrl-C. */
export async function waitForVerdict(session: Session, options: WaitOptions): Promise<Verdict> {
  const { client, namespace, io } = session;
  const { name, release, timeoutMs, onProgress } = options;
  let question = seenBy(release, options.question);
  let verdict = verdictOf(release, question);
  let told: string | undefined;
  function tell(text: string): void {
    if (text !== told) onProgress(text);
    told = text;
  }
  if (verdict.kind !== 'Waits' || timeoutMs === 0) return verdict;
  tell(progressText(verdict));
  const reached = new AbortController();
  const over = new AbortController();
  const timer = setTimeout(() => {
    over.abort();
  }, timeoutMs);
  try {
    await followRelease({
      client,
      namespace,
      name,
      signal: AbortSignal.any([reached.signal, over.signal, io.interrupted]),
      onState: (state) => {
        if (reached.signal.aborted) return;
        if (state) question = seenBy(state, question);
        verdict = verdictOf(state, question);
        if (verdict.kind === 'Waits') tell(progressText(verdict));
        else reached.abort();
      },
      onTrouble: (error) => {
        tell(`${describeError(error)}; trying again`);
      },
    });
    return verdict;
  } finally {
    clearTimeout(timer);
  }
}

function progressText({ reason, message }: Verdict): string {
  return reason === undefined ? message : `${reason}: ${message}`;
}
