/** The labels and annotations of Deployments, autoscalers and budgets: those of the operator and of spec.workloadMetadata. Pure. */
import { ANNOTATION } from '../../api/meta.ts';
import { shortHash } from '../../lib/canonical-json.ts';
import type { DesiredObject } from './kube-objects.ts';
import type { Topology } from './recorded-data.ts';

type Metadata = Pick<DesiredObject['metadata'], 'labels' | 'annotations'>;

/** Adds those of the user, who has no keys of apprelease.dev, to those of the operator. */
export function withWorkloadMetadata(
  { workloadMetadata: users }: Pick<Topology, 'workloadMetadata'>,
  { labels, annotations }: Metadata,
): Metadata {
  const keys = [users?.labels, users?.annotations].map((map = {}) => Object.keys(map).toSorted());
  const mark = keys.flat().length > 0 && { [ANNOTATION.workloadMetadata]: shortHash(keys) };
  return {
    labels: { ...labels, ...users?.labels },
    ...((annotations ?? mark) && { annotations: { ...annotations, ...users?.annotations, ...mark } }),
  };
}

/**
 * Whether the object has the keys of other metadata than the desired state. The operator finds a key that is no longer wanted by
 * the recorded hash, also after a restart: an object that has more than the desired state is equal to it otherwise.
 */
export function hasOtherKeys(desired: { metadata: Metadata }, live: { metadata: Metadata }): boolean {
  const [wanted, has] = [desired, live].map(({ metadata }) => metadata.annotations?.[ANNOTATION.workloadMetadata]);
  return wanted !== has;
}

/** Whether the object has the metadata of the user, and no former keys of it. */
export function hasWorkloadMetadata(
  topology: Pick<Topology, 'workloadMetadata'>,
  live: { metadata: Metadata },
): boolean {
  const { labels = {}, annotations = {} } = withWorkloadMetadata(topology, {});
  return (
    !hasOtherKeys({ metadata: { annotations } }, live) &&
    Object.entries(labels).every(([key, value]) => live.metadata.labels?.[key] === value) &&
    Object.entries(annotations).every(([key, value]) => live.metadata.annotations?.[key] === value)
  );
}
