// What a client of the app sees: a pod that asks each pool's Service fifty times a second, and what it was answered.
import type { World } from './world.ts';

/** One answer: when it was asked for and came (ms since the epoch), whose it was, and the version, or why there was none. */
export interface Answer {
  readonly asked: number;
  readonly at: number;
  readonly pool: string;
  readonly version?: string;
  readonly error?: string;
}

/** Answers of one version that followed each other. */
export interface Run {
  readonly version: string;
  /** When the first came (ms since the epoch). */
  readonly first: number;
}

export interface Asker {
  /** Every answer so far to what was asked since each had answered once; `flags` are those of `kubectl logs`. */
  readonly answers: (...flags: string[]) => Promise<readonly Answer[]>;
  /** Until the newest answer of the pool is of the version. */
  readonly hears: (pool: string, version: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts to ask the Services, by pool; returns when each has answered. `flags` are those of the app's `ask`. */
export async function startAsker(
  world: World,
  services: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<Asker> {
  const targets = await Promise.all(
    Object.entries(services).map(async ([pool, service]) => {
      // By address: a name that is not resolved in time is the cluster's own affair, and fails every request that waits.
      const address = await world.kubectl('get', 'service', service, '--output=jsonpath={.spec.clusterIP}');
      return `${pool}=http://${address}/`;
    }),
  );
  const image = await world.image('0.0.1');
  const name = 'asker';
  await world.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      // On no pool's VMs, as their loss must not be the asker's.
      nodeSelector: { 'node-role.kubernetes.io/control-plane': '' },
      tolerations: [{ operator: 'Exists' }],
      terminationGracePeriodSeconds: 1,
      containers: [{ name, image, args: ['ask', ...flags, ...targets] }],
    },
  });
  // A Service that was made just now is not known on every node at once.
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
  await world.until('answers of every pool', async () => {
    const heard = new Set((await answers()).filter(({ version }) => version !== undefined).map(({ pool }) => pool));
    return Object.keys(services).every((pool) => heard.has(pool));
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
      const [asked, at, pool = '', what = '', ...rest] = line.split(' ');
      // The log's end may be half a line.
      if (what === '') return [];
      return [
        {
          asked: Number(asked),
          at: Number(at),
          pool,
          ...(what === 'error' ? { error: rest.join(' ') } : { version: what }),
        },
      ];
    })
    .sort((a, b) => a.at - b.at);
}

/**
 * The versions that a pool's clients got, in their order. Requests overlap: an answer of the version before counts as a
 * return to it only when it was asked for after the first answer of the newer one had come.
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
