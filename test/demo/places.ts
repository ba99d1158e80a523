// The places of the demo's pools on an existing cluster: VM pools with the same names, else
// nodes for ordinary pods. The demo does not change nodes.

const POOL_LABEL = 'apprelease.dev/pool';

export interface PlaceTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

/** The fields of a node that the demo needs. */
export interface NodeView {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly PlaceTaint[];
  readonly ready: boolean;
  readonly schedulable: boolean;
}

/** Where the pods of a pool may run. */
export interface Place {
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly object[];
}

/**
 * A place for each pool: its own VMs; else nodes without taints; else the VMs of another pool.
 * @throws Error that says why no node can be used
 */
export function placesOf(nodes: readonly NodeView[], pools: readonly string[]): ReadonlyMap<string, Place> {
  const fit = nodes.filter(({ ready, schedulable }) => ready && schedulable);
  const own = new Set(fit.map(poolOf).filter((name) => name !== undefined));
  const anywhere = fit.some(({ taints }) => taints.every(isSoft)) ? { nodeSelector: {}, tolerations: [] } : undefined;
  const [borrowed] = own;
  return new Map(
    pools.map((name) => {
      if (own.has(name)) return [name, placeOf(name)];
      if (anywhere) return [name, anywhere];
      if (borrowed !== undefined) return [name, placeOf(borrowed)];
      throw new Error(`no node takes the demo's pods:\n${nodes.map(describe).join('\n') || '  there is none'}`);
    }),
  );
}

function placeOf(pool: string): Place {
  const taint = { key: POOL_LABEL, value: pool, effect: 'NoSchedule' };
  return { nodeSelector: { [POOL_LABEL]: pool }, tolerations: [taint] };
}

/** The pool of a node, if the node has no further taints. */
function poolOf({ labels, taints }: NodeView): string | undefined {
  const pool = labels[POOL_LABEL];
  const isOwn = ({ key, value, effect }: PlaceTaint) => key === POOL_LABEL && value === pool && effect === 'NoSchedule';
  return taints.every((taint) => isSoft(taint) || isOwn(taint)) ? pool : undefined;
}

function isSoft({ effect }: PlaceTaint): boolean {
  return effect === 'PreferNoSchedule';
}

function describe({ name, ready, schedulable, taints }: NodeView): string {
  const tainted = taints.map(({ key, value, effect }) => `${key}=${value ?? ''}:${effect}`).join(', ');
  return `  ${name}: ${!ready ? 'not ready' : !schedulable ? 'cordoned' : `has the taint ${tainted}`}`;
}
