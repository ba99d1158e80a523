/** Enqueues releases that wait for VMs, or report on them, when VMs, VMPools or pods on VMs change. */
import { isDeepStrictEqual } from 'node:util';
import type { AppRelease } from '../../api/app-release.ts';
import type { VmPool } from '../../api/vm-pool.ts';
import { isOpen } from '../../scheduling/nodes.ts';
import type { Node } from '../../scheduling/objects.ts';
import { usesPool } from '../../vmpool/evacuated.ts';
import { maintenanceOf } from '../../vmpool/maintenance.ts';
import { matchesSelector } from '../../scheduling/select.ts';
import type { PoolChange } from '../kinds/row.ts';

export interface VmWaiters {
  /** Notes whether a release waits for VMs after its last pass. */
  note: (key: string, waits: boolean) => void;
  onChange: (change: PoolChange) => void;
  /** A release reserves less room than before. */
  onRoom: () => void;
  stop: () => void;
}

/** Pods change often: releases that wait are enqueued at most once in this time. */
const PATIENCE_MS = 1_000;
/** Delay after a kubelet reports other images, which change the readiness of a rollback in the status. */
const IMAGES_MS = 10_000;

/** `releasesOn`: the keys of the releases with pods on a VM. */
export function createVmWaiters(
  enqueue: (key: string) => void,
  releases: () => readonly AppRelease[],
  releasesOn: (vm: string) => ReadonlySet<string>,
): VmWaiters {
  const waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const turned = new Map<string, Node>();
  let imagesTimer: NodeJS.Timeout | undefined;

  function wake(): void {
    timer = undefined;
    for (const key of waiting) enqueue(key);
  }

  function wakeByImages(): void {
    imagesTimer = undefined;
    for (const release of releases()) {
      if ([...turned.values()].some((node) => tellsOfImages(release, node))) enqueue(keyOf(release));
    }
    turned.clear();
  }

  return {
    note: (key, waits) => {
      if (waits) waiting.add(key);
      else waiting.delete(key);
    },
    onRoom: () => {
      if (waiting.size > 0) timer ??= setTimeout(wake, PATIENCE_MS);
    },
    onChange: (change) => {
      if (change.kind === 'VMPool') {
        if (change.old && isPlacedAlike(change.object, change.old)) return;
        for (const release of releases()) {
          if (usesPool(release, change.object.metadata.name)) enqueue(keyOf(release));
        }
        return;
      }
      if (change.kind === 'Namespace') return;
      if (waiting.size > 0) timer ??= setTimeout(wake, PATIENCE_MS);
      if (change.kind === 'Node' && isRelabelled(change.object, change.old))
        for (const key of releasesOn(change.object.metadata.name)) enqueue(key);
      if (change.kind === 'Node' && isNewsOfImages(change.object, change.old)) {
        turned.set(change.object.metadata.name, change.object);
        imagesTimer ??= setTimeout(wakeByImages, IMAGES_MS);
      }
    },
    stop: () => {
      clearTimeout(timer);
      clearTimeout(imagesTimer);
    },
  };
}

function keyOf({ metadata: { namespace, name } }: AppRelease): string {
  return `${namespace}/${name}`;
}

/** Whether the selection of VMs and the maintenance are the same. The rest of the status changes often, and no release depends on it. */
function isPlacedAlike({ metadata, spec, status }: VmPool, old: VmPool): boolean {
  return (
    metadata.uid === old.metadata.uid &&
    isDeepStrictEqual(maintenanceOf({ metadata, spec }), maintenanceOf(old)) &&
    metadata.generation === old.metadata.generation &&
    status?.poolLabel === old.status?.poolLabel
  );
}

/** The pods on the VM may not be in their pool any more, or be in it again. */
function isRelabelled({ metadata }: Node, old: Node | undefined): boolean {
  return old !== undefined && !isDeepStrictEqual(metadata.labels, old.metadata.labels);
}

/** Whether the change may affect rollback readiness: a new VM, other images, or a VM that opens or closes. */
function isNewsOfImages(node: Node, old: Node | undefined): boolean {
  return !old || isOpen(node) !== isOpen(old) || !isDeepStrictEqual(node.images, old.images);
}

/** Whether the status of a release has a rollback readiness that depends on the images of this VM. */
function tellsOfImages({ spec, status }: AppRelease, node: Node): boolean {
  const counted = (status?.pools ?? [])
    .filter(({ rollback }) => COUNTED.has(rollback?.readiness))
    .map(({ name }) => name);
  return spec.stages.some(({ pools }) =>
    pools.some(({ name, nodeSelector = {} }) => counted.includes(name) && matchesSelector(node, nodeSelector)),
  );
}

const COUNTED: ReadonlySet<string | undefined> = new Set(['Cached', 'Cold', 'Unknown']);
