import { shortHash } from '../../lib/canonical-json.ts';

const LABEL_LENGTH = 63;

/** Joins parts to a DNS label; what is too long is cut and carries a hash of the whole. */
export function joinName(...parts: (string | number)[]): string {
  const name = parts.join('-');
  if (name.length <= LABEL_LENGTH) return name;
  return `${cut(name)}-${shortHash(name)}`;
}

/** Leaves room for a hash. */
function cut(name: string): string {
  return name.slice(0, LABEL_LENGTH - 9).replace(/[^a-z0-9]+$/, '');
}

/**
 * The name of what is made for a pool of a release, the same whoever makes it. Where `-` stands in the release's or the
 * pool's own name, the parts could be those of another release too (web and a-b, web-a and b): then it carries their hash.
 */
export function objectName(release: string, pool: string, ...parts: (string | number)[]): string {
  const name = [release, pool, ...parts].join('-');
  if (!release.includes('-') && !pool.includes('-')) return joinName(name);
  return `${cut(name)}-${shortHash([release, pool, ...parts])}`;
}

export function revisionName(release: string, number: number): string {
  return `${release}-${number}`;
}

export function ledgerName(release: string): string {
  return `${release}-ledger`;
}

export function serviceName(release: string, pool: { name: string; serviceName?: string | undefined }): string {
  return pool.serviceName ?? `${release}-${pool.name}`;
}

/**
 * The name of the rollback that the operator makes: two leaders make the same. `pool`: where each goes back alone. The
 * second is for where the first is that of another release's rollback: nobody guesses it.
 */
export function automaticRollbackNames(
  release: { name: string; uid: string },
  revision: number,
  attempt: number,
  pool?: string,
): [string, string] {
  const parts = [release.name, `r${revision}`, attempt, ...(pool === undefined ? [] : [pool])];
  return [joinName(...parts), joinName(...parts, shortHash(release.uid))];
}

/** A label value that says as much of a version as the label syntax can hold. */
export function versionLabel(version: string): string {
  const safe = version.replace(/[^A-Za-z0-9_.-]/g, '_');
  if (safe === version && version.length <= LABEL_LENGTH && /[A-Za-z0-9]$/.test(version)) return version;
  return `${safe.slice(0, LABEL_LENGTH - 9).replace(/[^A-Za-z0-9]+$/, '')}-${shortHash(version)}`;
}
