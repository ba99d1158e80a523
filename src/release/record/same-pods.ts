/** Whether two revisions have equal pods and ports, so that nothing changes where one takes the place of the other. Pure. */
import type { PodTemplate, ServicePort } from '../../api/app-release.ts';
import { withoutOurs } from '../../api/meta.ts';
import { canonicalJson, sha256 } from '../../lib/canonical-json.ts';
import { keptBy } from '../../lib/once.ts';
import { own } from '../../lib/own.ts';
import { servicePorts } from './desired.ts';
import { renderPods } from './renderers.ts';
import type { Revision } from './revision.ts';
import { portsOf, templateFor } from './revision.ts';

/**
 * The hash of a pod template as the API server stores it, without what says which revision it is, and without the VMs that it
 * is for: `1000m` and `"1"` are one CPU, and `protocol: TCP` is the default.
 */
export function storedPods({ metadata, spec }: PodTemplate): string {
  const { nodeSelector: _nodeSelector, tolerations: _tolerations, ...pods } = spec;
  const { labels, annotations, finalizers } = metadata ?? {};
  return sha256(
    canonicalJson({ labels: withoutOurs(labels), annotations: withoutOurs(annotations), finalizers, spec: pods }),
  );
}

/** Whether the pods of two revisions in a pool are equal: as they are rendered, or as the API server stores them. */
export function hasSamePods(one: Revision, other: Revision, pool: string): boolean {
  const differs = [one, other].some((revision) => templateFor(revision, pool) !== undefined);
  return compared([one, other], differs || one.data.stored ? pool : '', () => {
    const [pods, others] = [one, other].map((revision) => renderPods(revision, pool));
    return canonicalJson(pods) === canonicalJson(others) || isStoredAs(one, other, pool, [pods, others]);
  });
}

/** Cached per pair of revisions, and once for all pools without a template, because many rules ask in every pass. */
const compared = keptBy<boolean>();

function isStoredAs(one: Revision, other: Revision, pool: string, pods: readonly (PodTemplate | undefined)[]): boolean {
  const [stored, otherStored] = [one, other].map(({ data }) => own(data.stored ?? {}, pool));
  const [vms, otherVms] = pods.map((template) => {
    const { nodeSelector, tolerations } = template?.spec ?? {};
    return canonicalJson({ nodeSelector, tolerations });
  });
  return stored !== undefined && stored === otherStored && vms === otherVms;
}

export function hasSamePorts(one: Revision, other: Revision): boolean {
  return samePorts(portsOf(one.data.input), portsOf(other.data.input));
}

/** Whether two Services with these ports are the same, whatever the order of the ports. */
export function samePorts(...both: [readonly ServicePort[], readonly ServicePort[]]): boolean {
  const [ports, others] = both.map((one) => canonicalJson(servicePorts(one).map(canonicalJson).toSorted()));
  return ports === others;
}
