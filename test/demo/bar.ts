// A bar with the part of a pool's traffic that a new version gets.
import type { AppReleaseStatus } from '../../src/api/app-release-status.ts';

const CELLS = 24;

/** `canary-vms  1.3.0 ░░░░████ 1.4.0 50%`; undefined for a pool without a share in a route. */
export function shareBar(status: AppReleaseStatus | undefined, name: string): string | undefined {
  const pool = status?.pools?.find((one) => one.name === name);
  if (!pool?.traffic) return undefined;
  const { exposure: found } = pool.traffic;
  // After the switch both Services lead to the new version.
  const exposure = found?.revision === pool.revision ? undefined : found;
  const versionOf = (number: number | undefined) =>
    status?.history?.find(({ revision }) => revision === number)?.version ?? '';
  const percent = Number.parseInt(exposure?.percent ?? '0', 10);
  const filled = Math.round((percent * CELLS) / 100);
  const bar = `${'░'.repeat(CELLS - filled)}${'█'.repeat(filled)}`;
  const next = exposure ? ` ${versionOf(exposure.revision)} ${percent}%` : '';
  return `${name}  ${pool.version ?? ''} ${bar}${next}`;
}
