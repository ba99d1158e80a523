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
/** This one it takes, but starts no pods of it: as a policy or quota does that no dry run shows. */
export const DENIED_MEMORY = '1Ti';

export function rejectTemplates(api: ApiServer): void {
  api.admission.refuse = (deployment) => {
    const { containers } = deploymentSpec(deployment).template.spec as {
      containers: { resources?: { limits?: { memory?: string } } }[];
    };
    const memory = containers.map(({ resources }) => resources?.limits?.memory);
    const field = 'spec.template.spec.containers[0].resources.limits.memory';
    if (memory.includes(REFUSED_MEMORY))
      return { field, message: 'Invalid value: "lots": quantities must match the regular expression' };
    if (memory.includes(DENIED_MEMORY) && deploymentSpec(deployment).replicas > 0)
      return { field, message: 'Invalid value: "1Ti": more than the namespace may have' };
    return undefined;
  };
}
