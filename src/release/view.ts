/** observe → view: the observed state put in order, with the gates of the stages, the moves of the pools, and the shares of the route. */
import { routedShares } from './route/reconcile-route.ts';
import { judgeGate } from './stages/gates.ts';
import { judgeMoves } from './stages/moves.ts';
import type { Observed } from './state/observed.ts';
import type { SpecProblem } from './state/valid-spec.ts';
import type { View } from './state/view.ts';
import { viewRelease } from './state/view-release.ts';

/** `problem`: the error of a rule that threw on the same observed state. */
export function view(observed: Observed, now: number, problem?: SpecProblem): View {
  return viewRelease(observed, now, { gate: judgeGate, moves: judgeMoves, routed: routedShares }, problem);
}
