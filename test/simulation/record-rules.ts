/** The same digests everywhere, and a record that never changes. */
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import type { RevisionData } from '../../src/release/record/recorded-data.ts';
import type { Judge, WriteRule } from './invariants.ts';
import type { PodSpec } from './pods.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

export function createRecordRules({ world }: Judge): WriteRule[] {
  /** The release's uid and revision → the recorded data. */
  const records = new Map<string, RevisionData>();

  function keyOf(owner: WorldObject | undefined, revision: unknown): string {
    return `${owner?.metadata.uid ?? ''} ${String(revision)}`;
  }

  const recordsStay: WriteRule = ({ kind, after }) => {
    if (kind !== 'ControllerRevision' || !after || Number(after.revision) === 0) return undefined;
    const data = after.data as RevisionData;
    const key = `${after.metadata.ownerReferences?.[0]?.uid ?? ''} ${String(after.revision)}`;
    const known = records.get(key);
    records.set(key, known ?? data);
    if (known && known !== data && canonicalJson(known) !== canonicalJson(data)) {
      return `records ${after.metadata.name} anew, with other content`;
    }
    return undefined;
  };

  const podsRunTheRecord: WriteRule = ({ kind, before, after }) => {
    const isNew = (kind === 'Pod' && !before) || kind === 'Deployment';
    if (!isNew || !after || after.spec === before?.spec) return undefined;
    const release = world.get('AppRelease', labelOf(after, 'release') ?? '');
    const data = records.get(keyOf(release, labelOf(after, 'revision')));
    const deployment = kind === 'Pod' ? world.get('Deployment', labelOf(after, 'workload') ?? '') : after;
    const isOurs = deployment?.metadata.ownerReferences?.some(({ uid }) => uid === release?.metadata.uid);
    // The record of a release that was deleted and created again is deleted with its owner.
    if (!release || !data || !isOurs) return undefined;
    const { containers } =
      kind === 'Pod' ? (after.spec as PodSpec) : (after.spec as { template: { spec: PodSpec } }).template.spec;
    for (const { name, image } of containers) {
      const input = data.input.template.spec.containers.find((container) => container.name === name);
      const pinned = data.images[input?.image ?? '']?.image;
      if (image !== pinned) return `${kind} ${after.metadata.name} runs ${image}, recorded is ${pinned ?? 'nothing'}`;
    }
    return undefined;
  };

  return [recordsStay, podsRunTheRecord];
}
