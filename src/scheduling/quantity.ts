import { own } from '../lib/own.ts';
/** Kubernetes quantities (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/). */

const SCALE: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$/;

/** Amounts by resource name: cpu in thousandths of a core, all others in their own unit (bytes, pods). */
export type Resources = Readonly<Record<string, number>>;

/** The number of a quantity; undefined if it is invalid. */
export function parseQuantity(text: unknown): number | undefined {
  if (typeof text === 'number') return text;
  const [, digits, suffix = ''] = QUANTITY.exec(typeof text === 'string' ? text : '') ?? [];
  return digits === undefined ? undefined : Number(digits) * (SCALE[suffix] ?? 1);
}

/** Parses a ResourceList to whole units, rounded up as in the scheduler. The API server refuses invalid quantities. */
export function parseResources(list: Readonly<Record<string, unknown>> | undefined): Resources {
  return Object.fromEntries(
    Object.entries(list ?? {}).map(([name, text]) => {
      const value = parseQuantity(text) ?? 0;
      // Round first: in a double, 1.001 × 1000 is slightly more than 1001.
      return [name, Math.ceil(Number((name === 'cpu' ? value * 1000 : value).toPrecision(15)))];
    }),
  );
}

export function addResources(...all: readonly Resources[]): Resources {
  return combine(all, (a, b) => a + b);
}

export function maxResources(...all: readonly Resources[]): Resources {
  return combine(all, Math.max);
}

export function subtractResources(from: Resources, what: Resources): Resources {
  const negative = Object.fromEntries(Object.entries(what).map(([name, value]) => [name, -value]));
  return combine([from, negative], (a, b) => a + b);
}

function combine(all: readonly Resources[], join: (a: number, b: number) => number): Resources {
  const sum: Record<string, number> = {};
  for (const resources of all) {
    for (const [name, value] of Object.entries(resources)) sum[name] = join(own(sum, name) ?? 0, value);
  }
  return sum;
}

const DECIMAL = ['k', 'M', 'G', 'T', 'P', 'E'] as const;
const BINARY = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const;

/** Formats an amount as the API server does: with the largest suffix that leaves a whole number. */
export function formatResource(name: string, value: number): string {
  if (name === 'cpu') return value % 1000 === 0 ? suffixed(value / 1000, DECIMAL) : `${value}m`;
  // Kubernetes' own rule: below 1024 even bytes get decimal suffixes.
  return suffixed(value, name === 'memory' && Math.abs(value) >= 1024 ? BINARY : DECIMAL);
}

function suffixed(value: number, suffixes: readonly string[]): string {
  const suffix = suffixes.findLast((one) => value !== 0 && value % (SCALE[one] ?? 1) === 0) ?? '';
  return `${value / (SCALE[suffix] ?? 1)}${suffix}`;
}
