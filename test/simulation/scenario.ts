/** Scenarios as data: user steps, their times, and the expected result. */
import type { ApiServer } from './api-server.ts';
import type { Scene } from './simulation.ts';
import { deploymentSpec } from './pods.ts';

export interface UserStep {
  /** For the log. */
  say: string;
  /** Milliseconds after the previous step. */
  after?: number;
  /** The condition for the step. */
  when?: (scene: Scene) => boolean;
  act: (scene: Scene) => void;
  /** The step may be skipped if its condition never becomes true. */
  optional?: boolean;
}

export interface Expectation {
  /** Pool → the version that its Service selects. */
  serves?: Record<string, string>;
  /** Condition of the release → its status, or its status and reason as `False/RolledBack`. */
  conditions?: Record<string, string>;
  /** Pools may have more than one Deployment at the end. */
  leftovers?: boolean;
  /** A further check: returns the fault. */
  also?: (scene: Scene) => string | undefined;
}

export interface Scenario {
  name: string;
  /** Pools with nodes. */
  nodes?: readonly string[];
  prepare?: (scene: Scene) => void;
  steps: readonly UserStep[];
  expect: Expectation;
  /** Valid only in the default order. In another order the users meet another situation. */
  orderly?: boolean;
}

/** The API server refuses a template with this memory request. */
export const REFUSED_MEMORY = 'lots';
/** The API server accepts this memory in a dry run, but refuses the write, like some policies and quotas. */
export const DENIED_MEMORY = '1Ti';

export function rejectTemplates(api: ApiServer): void {
  api.admission.refuse = (deployment, dryRun) => {
    const { containers } = deploymentSpec(deployment).template.spec as {
      containers: { resources?: { limits?: { memory?: string } } }[];
    };
    const memory = containers.map(({ resources }) => resources?.limits?.memory);
    const field = 'spec.template.spec.containers[0].resources.limits.memory';
    if (memory.includes(REFUSED_MEMORY))
      return { field, message: 'Invalid value: "lots": quantities must match the regular expression' };
    if (memory.includes(DENIED_MEMORY) && !dryRun)
      return { field, message: 'Invalid value: "1Ti": more than the namespace may have' };
    return undefined;
  };
}
