// A client of the app: a pod that sends fifty requests per second to each pool's Service, or to a gateway, and records the answers.
import type { World } from './world.ts';

/** One answer: the times of request and answer (ms since the epoch), the pool, and the version or the error. */
export interface Answer {
  readonly asked: number;
  readonly at: number;
  /** The name of what was asked. */
  readonly target: string;
  /** The pool that answered if its pods say so, otherwise the name of what was asked. */
  readonly pool: string;
  readonly version?: string;
  readonly error?: string;
}

/** Consecutive answers of one version. */
export interface Run {
  readonly version: string;
  /** The time of the first answer (ms since the epoch). */
  readonly first: number;
}

export interface Asker {
  /** All answers to requests since everything that is asked had answered once. */
  readonly answers: (...flags: string[]) => Promise<readonly Answer[]>;
  /** Waits until the newest answer of the pool has the version. */
  readonly hears: (pool: string, version: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts requests to the Services, by pool; returns when each has answered. `flags` are those of the app's `ask`. */
export async function startAsker(
  world: World,
  services: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<Asker> {
  const addresses = await Promise.all(
    Object.entries(services).map(async ([pool, service]): Promise<[string, string]> => {
      // Uses addresses, because a slow DNS look-up is the cluster's problem and would fail every waiting request.
      return [pool, await world.kubectl('get', 'service', service, '--output=jsonpath={.spec.clusterIP}')];
    }),
  );
  return askAt(world, Object.fromEntries(addresses), flags);
}

/** The same for addresses, by the names that their errors get. */
export async function askAt(
  world: World,
  addresses: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<Asker> {
  const targets = Object.entries(addresses).map(([target, address]) => `${target}=http://${address}/`);
  const image = await world.image('0.0.1');
  const name = 'asker';
  await world.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      // Not on VMs of a pool, so that their loss does not affect the client.
      nodeSelector: { 'node-role.kubernetes.io/control-plane': '' },
      tolerations: [{ operator: 'Exists' }],
      terminationGracePeriodSeconds: 1,
      containers: [{ name, image, args: ['ask', ...flags, ...targets] }],
    },
  });
  // A new Service is not known on every node at once.
  let began = 0;
  async function answers(...flags: string[]): Promise<readonly Answer[]> {
    return parseAnswers(await world.kubectl('logs', name, ...flags)).filter(({ asked }) => asked >= began);
  }
  async function hears(pool: string, version: string): Promise<void> {
    await world.until(`answers of ${version} in ${pool}`, async () => {
      const newest = (await answers('--since=5s')).findLast((answer) => answer.pool === pool);
      return newest?.version === version;
    });
  }
  await world.until(`answers of ${Object.keys(addresses).join(', ')}`, async () => {
    const heard = new Set((await answers()).filter(({ version }) => version !== undefined).map(({ target }) => target));
    return Object.keys(addresses).every((target) => heard.has(target));
  });
  began = Date.now();
  return {
    answers,
    hears,
    stop: async () => {
      await world.kubectl('delete', 'pod', name, '--wait=false');
    },
  };
}

function parseAnswers(log: string): Answer[] {
  return log
    .split('\n')
    .flatMap((line): Answer[] => {
      const [asked, at, target = '', what = '', ...rest] = line.split(' ');
      // The end of the log may be an incomplete line.
      if (what === '') return [];
      const times = { asked: Number(asked), at: Number(at), target };
      if (what === 'error') return [{ ...times, pool: target, error: rest.join(' ') }];
      return [{ ...times, pool: rest[0] ?? target, version: what }];
    })
    .sort((a, b) => a.at - b.at);
}

/**
 * The versions that a pool's clients got, in order. Requests overlap: an answer of the previous version counts as a
 * return to it only if its request was sent after the first answer of the newer version.
 */
export function runsOf(answers: readonly Answer[], pool: string): Run[] {
  const runs: Run[] = [];
  for (const { asked, at, version, ...answer } of answers) {
    if (answer.pool !== pool || version === undefined) continue;
    const latest = runs.at(-1);
    if (latest?.version === version) continue;
    if (latest && version === runs.at(-2)?.version && asked <= latest.first) continue;
    runs.push({ version, first: at });
  }
  return runs;
}

export function errorsOf(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ at, pool, error }) => (error === undefined ? [] : [`${at} ${pool}: ${error}`]));
}

/** Times from a moment until a pool's first answer of a version, and until its last answer of any other (ms). */
export function timesTo(
  answers: readonly Answer[],
  pool: string,
  version: string,
  since: number,
): { first: number; last: number } {
  const after = answers.filter((answer) => answer.pool === pool && answer.at >= since && answer.version !== undefined);
  const first = after.find((answer) => answer.version === version);
  const others = after.filter((answer) => answer.version !== version);
  if (!first) throw new Error(`pool ${pool} never answered with ${version}`);
  return { first: first.at - since, last: Math.max(first.at, others.at(-1)?.at ?? 0) - since };
}
