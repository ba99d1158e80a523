/** How long promotions are active, soak, wait for an approval or are blocked: a counter per release and phase. */
import { Counter, type Registry } from 'prom-client';
import { PHASES, type Phase } from './promotion-phase.ts';

export interface PromotionSeconds {
  /** The phases of the release are counted from now on, from 0. */
  begin: (key: string, labels: Readonly<Record<string, string>>) => void;
  /** The release is in this phase from now on; undefined: in none. */
  enter: (key: string, phase: Phase | undefined) => void;
  forget: (key: string) => void;
}

interface Clock {
  labels: Readonly<Record<string, string>>;
  phase?: Phase;
  /** Until when the time of the phase is counted (ms). */
  counted: number;
}

/** `now`: a clock that is never set back (ms). */
export function createPromotionSeconds(registry: Registry, now: () => number): PromotionSeconds {
  const clocks = new Map<string, Clock>();
  const seconds = new Counter({
    name: 'apprelease_promotion_seconds_total',
    help: 'How long promotions of the release are active, soaking, waiting for an approval or blocked, as seen by this process.',
    labelNames: ['namespace', 'release', 'phase'],
    registers: [registry],
    // The time up to the scrape counts, also while no pass is due.
    collect() {
      for (const clock of clocks.values()) count(clock);
    },
  });

  function count(clock: Clock): void {
    const time = now();
    if (clock.phase) seconds.inc({ ...clock.labels, phase: clock.phase }, (time - clock.counted) / 1000);
    clock.counted = time;
  }

  return {
    begin: (key, labels) => {
      clocks.set(key, { labels, counted: now() });
      for (const phase of PHASES) seconds.inc({ ...labels, phase }, 0);
    },
    enter: (key, phase) => {
      const clock = clocks.get(key);
      if (!clock || clock.phase === phase) return;
      count(clock);
      if (phase) clock.phase = phase;
      else delete clock.phase;
    },
    forget: (key) => {
      const clock = clocks.get(key);
      if (!clock) return;
      clocks.delete(key);
      for (const phase of PHASES) seconds.remove({ ...clock.labels, phase });
    },
  };
}
