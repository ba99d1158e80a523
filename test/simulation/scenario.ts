/** Scenarios as data: what users do, when, and what must have come of it. */
import type { ApiServer } from './api-server.ts';
import type { Scene } from './simulation.ts';
import { deploymentSpec } from './pods.ts';

export interface UserStep {
  /** For the log. */
  say: string;
  /** Milliseconds after the step before. */
  after?: number;
  /** Only once this is so. */
  when?: (scene: Scene) => boolean;
  act: (scene: Scene) => void;
  /** May be left out where what it waits for never comes. */
  optional?: boolean;
}

export interface Expectation {
  /** Pool → the version that its Service selects. */
  serves?: Record<string, string>;
  /** Condition of the release → its status, or its status and reason as `False/RolledBack`. */
  conditions?: Record<string, string>;
  /** More Deployments than one for each pool may be left. */
  leftovers?: boolean;
  /** Whatever else: what is wrong. */
  also?: (scene: Scene) => string | undefined;
}

export interface Scenario {
  name: string;
  /** Pools with nodes. */
  nodes?: readonly string[];
  prepare?: (scene: Scene) => void;
  steps: readonly UserStep[];
  expect: Expectation;
  /** Holds in the default order only: in another order the users meet another situation. */
  orderly?: boolean;
}

/** The API server takes no template whose container asks for this memory. */
export const REFUSED_MEMORY = 'lots';

export function rejectTemplates(api: ApiServer): void {
  api.admission.refuse = (deployment) => {
    const { containers } = deploymentSpec(deployment).template.spec as {
      containers: { resources?: { limits?: { memory?: string } } }[];
    };
    const refused = containers.some(({ resources }) => resources?.limits?.memory === REFUSED_MEMORY);
    const field = 'spec.template.spec.containers[0].resources.limits.memory';
    return refused
      ? { field, message: 'Invalid value: "lots": quantities must match the regular expression' }
      : undefined;
  };
}
