/** VMPools as a table, and one VMPool in detail. Pure. */
import type { Condition } from '../../api/common.ts';
import { findCondition } from '../../api/conditions.ts';
import type { VM_POOLS } from '../../controller/kinds/api-kinds.ts';
import type { Live } from '../../kube/types.ts';
import { printable } from '../../lib/printable.ts';
import { ageOf } from './age.ts';
import type { Paint } from './paint.ts';
import { table } from './table.ts';

export type LivePool = Live<NonNullable<(typeof VM_POOLS)['type']>>;

/** The status of a condition of a VMPool that is well. Evacuated follows from a maintenance, which somebody wants. */
const WELL: Readonly<Record<string, Condition['status']>> = {
  Ready: 'True',
  Draining: 'False',
  Skewed: 'False',
  Overlapping: 'False',
  Trespassed: 'False',
  Empty: 'False',
};

export function poolTable(pools: readonly LivePool[], now: number, isWide: boolean, paint: Paint): string {
  const header = ['NAME', 'READY', 'DRAINING', 'PODS', 'CPU%', 'MEM%', 'OS', 'KUBELET', 'TENANTS'];
  const wide = isWide ? ['KERNEL', 'ZONES', 'NOT WELL'] : [];
  const rows = pools.map((pool) => {
    const { metadata, status = {} } = pool;
    const { nodes } = status;
    const isReady = nodes !== undefined && nodes.total > 0 && nodes.ready === nodes.total;
    return [
      metadata.name,
      paint(isReady ? 'good' : 'waits', status.readyNodes ?? '-'),
      String(nodes?.draining ?? '-'),
      String(status.pods ?? '-'),
      status.cpuRequested ?? '-',
      status.memoryRequested ?? '-',
      printable(status.os ?? '-'),
      printable(status.kubelet ?? '-'),
      printable(status.tenants ?? '-'),
      ...(isWide ? [printable(status.kernel ?? '-'), zonesText(pool), reasonsText(pool)] : []),
      ageOf(metadata.creationTimestamp, now),
    ];
  });
  return table([...header, ...wide, 'AGE'], rows);
}

function zonesText({ status }: LivePool): string {
  const zones = status?.nodes?.zones ?? [];
  return zones.map(({ name, ready, total }) => `${printable(name) || '?'} ${ready}/${total}`).join(', ') || '-';
}

function reasonsText(pool: LivePool): string {
  return (
    notWell(pool)
      .map(({ reason }) => reason)
      .join(',') || '-'
  );
}

function notWell({ status }: LivePool): Condition[] {
  return (status?.conditions ?? []).filter(({ type, status: is }) => WELL[type] !== undefined && is !== WELL[type]);
}

/** What the table has no room for. */
export function poolDetails(pool: LivePool, now: number, paint: Paint): string {
  const { status = {} } = pool;
  const evacuated = findCondition(status.conditions, 'Evacuated');
  const told = [...notWell(pool), ...(evacuated && evacuated.reason !== 'NotInMaintenance' ? [evacuated] : [])];
  const parts = [
    part(
      'Conditions that are not well',
      table(
        [],
        told.map(({ type, status: is, reason, message }) => [
          `${type}=${is}`,
          paint('waits', reason),
          printable(message),
        ]),
      ),
    ),
    part(
      'Zones',
      table(
        ['ZONE', 'READY', 'VMS'],
        (status.nodes?.zones ?? []).map(({ name, ready, total }) => [
          printable(name) || '(none)',
          `${ready}`,
          `${total}`,
        ]),
      ),
    ),
    part('Systems', table(['WHAT', 'VMS'], systemsOf(pool))),
    part(
      'Longest since a boot',
      table(
        ['VM', 'UP FOR AT LEAST'],
        (status.oldestBoots ?? []).map(({ node, seenAt }) => [node, ageOf(seenAt, now)]),
      ),
    ),
    part(
      'Releases',
      table(
        ['NAMESPACE', 'NAME', 'VERSIONS', 'PODS'],
        (status.releases ?? []).map(({ namespace, name, versions, pods }) => [
          namespace,
          name,
          versions.join(','),
          `${pods}`,
        ]),
      ),
    ),
  ];
  return parts.filter((text) => text !== '').join('');
}

function systemsOf({ status = {} }: LivePool): string[][] {
  const { osImages = [], kernels = [], kubelets = [], containerRuntimes = [], architectures = [] } = status;
  const all = [...osImages, ...kernels, ...kubelets, ...containerRuntimes, ...architectures];
  return all.map(({ name, nodes }) => [printable(name), `${nodes}`]);
}

function part(title: string, text: string): string {
  return text === '' ? '' : `\n${title}:\n${text.replace(/^(?=.)/gm, '  ')}`;
}
