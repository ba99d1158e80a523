/** The writes of a release that have no answer yet. A pass that a rollback interrupts leaves them behind. */
import { settlesBefore } from '../../lib/interruption.ts';
import type { Action } from '../../release/record/actions.ts';

export interface Flight {
  /** Left out: the write of the status. */
  action?: Action;
  /** Resolves with the answer, also if that is an error. */
  landed: Promise<void>;
}

export interface InFlight {
  flights: Set<Flight>;
  /** Errors that no pass has reported yet. */
  errors: unknown[];
}

export function createInFlight(): InFlight {
  return { flights: new Set(), errors: [] };
}

/** Notes a write until its answer. */
export function noteFlight({ flights, errors }: InFlight, write: Promise<unknown>, action?: Action): Flight {
  const landed = write.then(
    () => undefined,
    (error: unknown) => void errors.push(error),
  );
  const flight: Flight = { landed, ...(action && { action }) };
  flights.add(flight);
  void landed.then(() => flights.delete(flight));
  return flight;
}

/** Whether the writes have landed before the interruption. */
export function landBefore(flights: Iterable<Flight>, interruption: AbortSignal): Promise<boolean> {
  return settlesBefore(landing(flights), interruption);
}

export async function landing(flights: Iterable<Flight>): Promise<void> {
  await Promise.all([...flights].map(({ landed }) => landed));
}

/** Returns the errors, and forgets them. */
export function takeErrors({ errors }: InFlight): unknown[] {
  return errors.splice(0);
}
