/** How long the VMs of a pool have run. Pure. */
import type { VmPoolStatus } from '../api/vm-pool.ts';
import type { Node } from '../scheduling/objects.ts';

export type Boot = NonNullable<VmPoolStatus['oldestBoots']>[number];

const MAX_BOOTS = 16;

/**
 * The VMs that run longest without a boot, the longest first. A node tells which boot it is in (bootID) but not since
 * when, and its creation is no answer: a VM reboots without a new node, and a condition may turn without a reboot. So
 * the status remembers when each of these boots was first seen by an operator, which outlives the operator's restart.
 * It is a lower bound: the VM has run at least since then. An erased status, or a VM that was not among the longest
 * before, begins anew; nothing is made up.
 */
export function oldestBoots(known: readonly Boot[] | undefined, nodes: readonly Node[], now: number): Boot[] {
  const before = new Map((known ?? []).map((boot) => [boot.node, boot]));
  const seenNow = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
  return nodes
    .filter(({ info }) => info.bootID !== '')
    .map(({ metadata: { name }, info: { bootID } }) => {
      const same = before.get(name);
      return same?.bootID === bootID ? same : { node: name, bootID, seenAt: seenNow };
    })
    .toSorted((a, b) => (a.seenAt === b.seenAt ? compare(a.node, b.node) : compare(a.seenAt, b.seenAt)))
    .slice(0, MAX_BOOTS);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
