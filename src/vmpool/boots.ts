/** The uptime of the VMs of a pool. Pure. */
import type { VmPoolStatus } from '../api/vm-pool.ts';
import type { Node } from '../scheduling/objects.ts';

export type Boot = NonNullable<VmPoolStatus['oldestBoots']>[number];

const MAX_BOOTS = 16;

/**
 * The VMs with the longest time since their last boot, the longest first. A node reports the ID of its boot (bootID), but
 * not its time. The creation time does not help: a VM reboots without a new node, and conditions change without a reboot.
 * So the status stores when an operator first saw each of these boots, which survives a restart of the operator. This is a
 * lower bound of the uptime. The time starts again if the status is erased, and for a VM that was not in the list.
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
