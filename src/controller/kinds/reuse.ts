/** How a change of an object compares with the object that the cache has. */
import type { ObjectMeta } from '../../api/common.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { Autoscaler, Budget, ControllerRevision, Route } from '../../release/record/kube-objects.ts';

/** The API server gives each spec a generation; most changes are of the status. */
export function withSameSpec<S extends { metadata: ObjectMeta; spec: unknown }>(old: S, object: S): S {
  const { generation } = object.metadata;
  return generation !== undefined && old.metadata.generation === generation ? { ...object, spec: old.spec } : object;
}

/** The data of a ControllerRevision never changes. */
export function withSameData(old: ControllerRevision, object: ControllerRevision): ControllerRevision {
  return old.data === undefined ? object : { ...object, data: old.data };
}

/** Controllers of Kubernetes write statuses every few seconds. A change that the cache does not keep needs no pass. */
export function isNewsOfContent<S extends Autoscaler | Budget | Route>(object: S, old: S): boolean {
  const { resourceVersion } = object.metadata;
  return canonicalJson(object) !== canonicalJson({ ...old, metadata: { ...old.metadata, resourceVersion } });
}
