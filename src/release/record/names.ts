import { shortHash } from '../../lib/canonical-json.ts';

const LABEL_LENGTH = 63;

/** Joins parts to a DNS label. A name that is too long is cut and gets a hash of the full name. */
export function joinName(...parts: (string | number)[]): string {
  const name = parts.join('-');
  if (name.length <= LABEL_LENGTH) return name;
  return `${cut(name)}-${shortHash(name)}`;
}

/** Cuts a name so that a hash fits behind it. */
function cut(name: string): string {
  return name.slice(0, LABEL_LENGTH - 9).replace(/[^a-z0-9]+$/, '');
}

/**
 * The name of an object of a pool. Every leader makes the same name. If the name of the release or the pool contains `-`,
 * the joined name could belong to another release too (web and a-b, web-a and b), so it gets a hash of the parts.
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

/** The name of a pool's second Service. */
export function nextServiceName(service: string): string {
  return `${service}-next`;
}

/**
 * The names for an automatic rollback, the first choice first. Every leader makes the same names. `pool` is set if each pool
 * has a rollback of its own. The others are used if somebody else's rollback has the first name; they have a hash of the
 * release's UID.
 */
export function automaticRollbackNames(
  release: { name: string; uid: string },
  revision: number,
  attempt: number,
  pool?: string,
): string[] {
  const parts = [release.name, `r${revision}`, attempt, ...(pool === undefined ? [] : [pool])];
  const others = [release.uid, [release.uid, 2], [release.uid, 3]].map((seed) => joinName(...parts, shortHash(seed)));
  return [joinName(...parts), ...others];
}

/** The version as a label value. Characters that a label cannot have are replaced, and a hash keeps the value unique. */
export function versionLabel(version: string): string {
  const safe = version.replace(/[^A-Za-z0-9_.-]/g, '_');
  if (safe === version && version.length <= LABEL_LENGTH && /^[A-Za-z0-9](.*[A-Za-z0-9])?$/.test(version))
    return version;
  const start = safe.replace(/^[^A-Za-z0-9]+/, '');
  const cut = start.slice(0, LABEL_LENGTH - 9).replace(/[^A-Za-z0-9]+$/, '');
  return [...(cut === '' ? [] : [cut]), shortHash(version)].join('-');
}
