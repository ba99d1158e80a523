import { inject } from 'vitest';
import { connect } from '../cluster/kubectl.ts';
import type { ClusterAccess } from '../cluster/types.ts';

/** The control plane of the worker that runs this file; no other file uses it meanwhile. */
export function ownCluster(): ClusterAccess {
  const { VITEST_POOL_ID: worker } = process.env;
  const details = inject('clusters')[Number(worker) - 1];
  if (!details) throw new Error(`no control plane was started for worker ${worker ?? '(none)'}`);
  return connect(details);
}
