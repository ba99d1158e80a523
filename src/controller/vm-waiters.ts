/** Wakes the releases that wait for VMs when VMs, their pools or what takes room on them change. */
import type { AppRelease } from '../api/app-release.ts';
import type { VmPool } from '../api/vm-pool.ts';
import type { PoolChange } from './caches.ts';

export interface VmWaiters {
  /** Whether a release waits for VMs, as its last pass has it. */
  note: (key: string, waits: boolean) => void;
  onChange: (change: PoolChange) => void;
  stop: () => void;
}

/** Many pods come and go: those that wait look again once in this time. */
const PATIENCE_MS = 1_000;

export function createVmWaiters(enqueue: (key: string) => void, releases: () => readonly AppRelease[]): VmWaiters {
  const waiting = new Set<string>();
  let timer: NodeJS.Timeout | undefined;

  function wake(): void {
    timer = undefined;
    for (const key of waiting) enqueue(key);
  }

  return {
    note: (key, waits) => {
      if (waits) waiting.add(key);
      else waiting.delete(key);
    },
    onChange: (change) => {
      if (change.kind === 'VMPool') {
        if (change.old && isPlacedAlike(change.object, change.old)) return;
        for (const release of releases()) {
          if (usesPool(release, change.object.metadata.name)) enqueue(keyOf(release));
        }
      } else if (waiting.size > 0) {
        timer ??= setTimeout(wake, PATIENCE_MS);
      }
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}

function keyOf({ metadata: { namespace, name } }: AppRelease): string {
  return `${namespace}/${name}`;
}

/** Its status tells of its VMs every few seconds; only what names them moves a release. */
function isPlacedAlike({ metadata, status }: VmPool, old: VmPool): boolean {
  return (
    metadata.uid === old.metadata.uid &&
    metadata.generation === old.metadata.generation &&
    status?.poolLabel === old.status?.poolLabel
  );
}

function usesPool({ spec }: AppRelease, name: string): boolean {
  return spec.stages.some(({ pools }) => pools.some((pool) => pool.name === name));
}
