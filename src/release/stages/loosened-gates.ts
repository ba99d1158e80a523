/**
 * The gates that a change of the spec loosens: a version could then enter a pool sooner, or without an approval that it needed
 * before. The policy in manifests/policies/gates.yaml finds the same in a request, with the same words. Pure.
 */
import { parseDuration } from '../../api/common.ts';
import { serviceName } from '../record/names.ts';
import type { Topology } from '../record/recorded-data.ts';

/** What a version needs to enter the pools of a stage. */
interface Entry {
  stage: string;
  /** Approvals are recorded by the name of the stage. */
  manual: boolean;
  /** The approvals up to this stage. */
  approvals: number;
  /** The soak of all stages before, in milliseconds. */
  soak: number;
  /** The number of stages before. */
  before: number;
  /** The steps of its exposure that need an approval, and the time of all steps, in milliseconds. */
  steps: number;
  exposed: number;
  /** Each pool with its Service: a pool that gets the Service of another pool gets its traffic. */
  places: readonly string[];
}

interface Change {
  from: Entry;
  /** The stages that have pools of `from` afterwards. */
  to: readonly Entry[];
}

interface Loosening {
  isLoosened: (change: Change) => boolean;
  message: (stage: string) => string;
}

const LOOSENINGS: readonly Loosening[] = [
  {
    isLoosened: ({ from, to }) => from.manual && to.some(({ manual }) => !manual),
    message: (stage) => `pools of stage ${stage} no longer need an approval`,
  },
  {
    isLoosened: ({ from, to }) => from.manual && to.some(({ manual, stage }) => manual && stage !== from.stage),
    message: (stage) => `pools of stage ${stage} need the approval of another stage`,
  },
  {
    isLoosened: ({ from, to }) =>
      to.some(({ approvals, manual }) => approvals < from.approvals && (manual || !from.manual)),
    message: (stage) => `pools of stage ${stage} need fewer approvals`,
  },
  {
    isLoosened: ({ from, to }) => to.some(({ soak }) => soak < from.soak),
    message: (stage) => `pools of stage ${stage} wait for a shorter soak`,
  },
  {
    isLoosened: ({ from, to }) => to.some(({ before }) => before < from.before),
    message: (stage) => `pools of stage ${stage} wait for fewer stages`,
  },
  {
    isLoosened: ({ from, to }) => to.some(({ steps }) => steps < from.steps),
    message: (stage) => `pools of stage ${stage} need fewer approvals in their exposure`,
  },
  {
    isLoosened: ({ from, to }) => to.some(({ exposed }) => exposed < from.exposed),
    message: (stage) => `pools of stage ${stage} have a shorter exposure`,
  },
  {
    isLoosened: ({ from, to }) => from.places.some((place) => !to.some(({ places }) => places.includes(place))),
    message: (stage) => `pools of stage ${stage} are removed, or get another Service`,
  },
];

/** A stage without an approval up to it, a soak before it and an exposure has no gate that can be loosened. */
export function loosenedGates(release: string, before: Topology, after: Topology): string[] {
  const later = entries(release, after);
  const changes = entries(release, before)
    .filter(({ approvals, soak, steps, exposed }) => approvals > 0 || soak > 0 || steps > 0 || exposed > 0)
    .map((from): Change => {
      const places = new Set(from.places);
      return { from, to: later.filter((entry) => entry.places.some((place) => places.has(place))) };
    });
  return LOOSENINGS.flatMap(({ isLoosened, message }) =>
    changes.filter(isLoosened).map(({ from }) => message(from.stage)),
  );
}

function entries(release: string, { stages }: Topology): Entry[] {
  return stages.map(({ name, approval, pools, exposure = [] }, index) => {
    const earlier = stages.slice(0, index);
    return {
      stage: name,
      manual: approval === 'Manual',
      approvals: stages.slice(0, index + 1).filter((stage) => stage.approval === 'Manual').length,
      soak: earlier.reduce((sum, { soak }) => sum + (parseDuration(soak) ?? 0), 0),
      before: index,
      steps: exposure.filter((step) => step.approval === 'Manual').length,
      exposed: exposure.reduce((sum, step) => sum + (parseDuration(step.for ?? '0s') ?? 0), 0),
      places: pools.map((pool) => `${pool.name} ${serviceName(release, pool)}`),
    };
  });
}
