/** The same digests everywhere, and a record that never changes. A record that somebody deleted comes back with the same pods. */
import { canonicalJson } from '../../src/lib/canonical-json.ts';
import type { RevisionData } from '../../src/release/record/recorded-data.ts';
import type { Judge, WriteRule } from './invariants.ts';
import { isOperator } from './invariants.ts';
import type { PodSpec } from './pods.ts';
import type { WorldObject } from './world.ts';
import { labelOf } from './world.ts';

export function createRecordRules({ world }: Judge): WriteRule[] {
  /** The release's uid and revision → the recorded data. */
  const records = new Map<string, RevisionData>();

  function keyOf(owner: WorldObject | undefined, revision: unknown): string {
    return `${owner?.metadata.uid ?? ''} ${String(revision)}`;
  }

  const recordsStay: WriteRule = ({ actor, kind, before, after }) => {
    if (kind !== 'ControllerRevision' || !after || Number(after.revision) === 0) return undefined;
    const data = after.data as RevisionData;
    const key = `${after.metadata.ownerReferences?.[0]?.uid ?? ''} ${String(after.revision)}`;
    const known = records.get(key);
    records.set(key, before && known ? known : data);
    if (known && !before && isOperator(actor)) {
      const isSame = known.input.version === data.input.version && imagesOf(known) === imagesOf(data);
      return isSame ? undefined : `rebuilds ${after.metadata.name} with other images or another version`;
    }
    if (known && known !== data && canonicalJson(known) !== canonicalJson(data)) {
      return `records ${after.metadata.name} anew, with other content`;
    }
    return undefined;
  };

  function imagesOf({ input, images }: RevisionData): string {
    return canonicalJson(input.template.spec.containers.map(({ name, image }) => [name, images[image]?.image]));
  }

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
