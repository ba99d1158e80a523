/** What is known of the revision that the spec wants. */
import type { Reason } from '../../api/reasons.ts';
import type { DesiredDeployment } from '../record/kube-objects.ts';
import type { RevisionData } from '../record/recorded-data.ts';
import type { Revision } from '../record/revision.ts';
import type { Refusal } from './observed.ts';
import type { SpecProblem } from './valid-spec.ts';

export type Wanted =
  | { state: 'Recorded'; revision: Revision }
  /** The spec is invalid. Running pods stay as they are. */
  | ({ state: 'Invalid' } & SpecProblem)
  /** The operator asks a registry, or `isQueued`: will ask; `failed`: the error that is shown to users. */
  | { state: 'Resolving'; failed?: { reason: Reason; message: string; retryable: boolean }; isQueued?: true }
  /**
   * All images are pinned. A dry run must show whether the API server accepts the template. `exists`: the Deployment exists,
   * and the step changes it; `refused`: why the last dry run gave no verdict on the template.
   */
  | { state: 'Unproven'; hash: string; deployment: DesiredDeployment; exists: boolean; refused?: Refusal }
  | { state: 'New'; number: number; data: RevisionData };

export type InvalidSpec = Extract<Wanted, { state: 'Invalid' }>;
