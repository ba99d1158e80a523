/** observe → view: what is seen of a release, put in order once, with the gates of its stages and the moves of its pools. */
import { judgeGate } from './stages/gates.ts';
import { judgeMoves } from './stages/moves.ts';
import type { Observed } from './state/observed.ts';
import type { SpecProblem } from './state/valid-spec.ts';
import type { View } from './state/view.ts';
import { viewRelease } from './state/view-release.ts';

/** `problem`: what a rule threw when all this was viewed before. */
export function view(observed: Observed, now: number, problem?: SpecProblem): View {
  return viewRelease(observed, now, { gate: judgeGate, moves: judgeMoves }, problem);
}
