// Parts (b) and (c): many releases at once, beside as many plain Deployments, and a bare loop of writes.
import { LABEL } from '../../src/api/meta.ts';
import { atMost } from './at-most.ts';
import { measureLoops } from './bare.ts';
import { parsingMs } from './parsing.ts';
import type { Environment } from './environment.ts';
import { settledRequests } from './environment.ts';
import { keepReleaseState, keepServiceTrack } from './kept.ts';
import type { Version } from './objects.ts';
import {
  DEPLOYMENTS,
  imagePatch,
  NAMESPACE,
  narrowRelease,
  plainDeployment,
  plainService,
  RELEASES,
  rollback,
  ROLLBACKS,
  rolledOut,
  SERVICES,
} from './objects.ts';
import type { Request } from './requests.ts';
import { watchObjects } from './watching.ts';

export const PHASES = ['converge', 'switch', 'roll back'] as const;
export type Phase = (typeof PHASES)[number];

/** Seconds, and what the operator asked meanwhile and after until it was quiet. */
export interface PhaseResult {
  releases: number;
  /** Until every Service selected the version. */
  switched: number;
  deployments: number;
  requests: Request[];
  /** The same number by the API server's metrics, watches and the lease included on both sides. */
  dispatched: number;
  cpuSeconds: number;
  /** Over releases. */
  passes: number;
  /** CPU of a fixed loop of JSON parsing, before and after. */
  parsingMs: number[];
}

export interface FleetResult {
  phases: Record<Phase, PhaseResult>;
  /** Seconds for three writes of each, each time. */
  loops: number[];
}

/** Requests of the benchmark's own at a time. */
export const IN_FLIGHT = 32;
const LOOPS = 3;

/** Leaves the releases where they are; the plain Deployments are removed. */
export async function measureFleet(environment: Environment, count: number): Promise<FleetResult> {
  const { admin, say } = environment;
  const selection = { namespace: NAMESPACE };
  const indexes = Array.from({ length: count }, (_, index) => index);
  const names = indexes.map(releaseName);
  const plainNames = indexes.map((index) => `plain-${String(index)}`);
  const releases = await watchObjects(admin, RELEASES, keepReleaseState, selection);
  const services = await watchObjects(admin, SERVICES, keepServiceTrack, {
    ...selection,
    labelSelector: LABEL.release,
  });
  const deployments = await watchObjects(
    admin,
    DEPLOYMENTS,
    ({ metadata, spec, status }) => ({
      metadata,
      version: rolledOut({ metadata, ...(spec && { spec }), ...(status && { status }) }),
      ours: metadata.labels?.[LABEL.release] !== undefined,
    }),
    selection,
  );

  const goDeployments: Record<Phase, () => Promise<number>> = {
    converge: async () => {
      const done = deployments.every('Deployments', plainNames, ({ version }) => version === 'v1');
      await atMost(IN_FLIGHT, indexes, async (index) => {
        const name = plainNames[index] ?? '';
        await admin.create(DEPLOYMENTS, plainDeployment(name, 'v1', index));
        await admin.create(SERVICES, plainService(name));
      });
      return done;
    },
    switch: () => patchDeployments('v2'),
    'roll back': () => patchDeployments('v1'),
  };
  async function patchDeployments(to: Version): Promise<number> {
    const done = deployments.every('Deployments', plainNames, ({ version }) => version === to);
    const body = imagePatch(to);
    await atMost(IN_FLIGHT, plainNames, (name) =>
      admin.patch(DEPLOYMENTS, { ...selection, name }, { type: 'merge', body }),
    );
    return done;
  }

  const tracks = new Map<string, string>();
  const goReleases: Record<Phase, () => Promise<[number, number]>> = {
    converge: async () => {
      const ready = releases.every('releases', names, ({ ready }) => ready);
      await atMost(IN_FLIGHT, indexes, (index) =>
        admin.create(RELEASES, narrowRelease(releaseName(index), 'v1', index)),
      );
      const at = await ready;
      for (const { metadata, track } of services.list()) tracks.set(metadata.name, track);
      return [at, at];
    },
    switch: async () => {
      const ready = releases.every('releases', names, ({ ready, version }) => ready && version === 'v2');
      const switched = services.every(
        'Services',
        [...tracks.keys()],
        ({ metadata, track }) => track !== tracks.get(metadata.name),
      );
      await atMost(IN_FLIGHT, indexes, (index) => {
        const name = releaseName(index);
        const body = { spec: narrowRelease(name, 'v2', index).spec };
        return admin.patch(RELEASES, { ...selection, name }, { type: 'merge', body });
      });
      return Promise.all([ready, switched]);
    },
    'roll back': async () => {
      const held = releases.every('releases', names, ({ held }) => held);
      const switched = services.every(
        'Services',
        [...tracks.keys()],
        ({ metadata, track }) => track === tracks.get(metadata.name),
      );
      await atMost(names.length, names, (name) => admin.create(ROLLBACKS, rollback(name, name, 'v1')));
      return Promise.all([held, switched]);
    },
  };
  /** What a rollback leaves is removed after its drain: that belongs to it. */
  async function untilRemoved(): Promise<void> {
    while (deployments.list().filter(({ ours }) => ours).length > count)
      await settledRequests(environment).then(collect);
  }
  const collected: Request[] = [];
  function collect(requests: readonly Request[]): void {
    collected.push(...requests);
  }

  const loops: number[] = [];
  const phases: Partial<Record<Phase, PhaseResult>> = {};
  for (const phase of PHASES) {
    say(`(b) ${String(count)} plain Deployments: ${phase}`);
    const plainBegan = performance.now();
    const plain = (await goDeployments[phase]()) - plainBegan;
    await settledRequests(environment);
    if (phase === 'roll back') loops.push(...(await measureLoops(environment, plainNames, LOOPS)));
    say(`(b) ${String(count)} releases: ${phase}`);
    const [cpu, dispatched] = [await environment.operator.cpuSeconds(), await environment.dispatched()];
    const passes = await passesOf(environment);
    const parsing = [parsingMs()];
    const mark = Date.now();
    collected.length = 0;
    const began = performance.now();
    const [ready, switched] = await goReleases[phase]();
    collect(await settledRequests(environment));
    if (phase === 'roll back') await untilRemoved();
    phases[phase] = {
      releases: (ready - began) / 1000,
      switched: (switched - began) / 1000,
      deployments: plain / 1000,
      requests: collected.filter(({ at }) => at >= mark - 1),
      dispatched: (await environment.dispatched()) - dispatched,
      cpuSeconds: (await environment.operator.cpuSeconds()) - cpu,
      passes: (await passesOf(environment)) - passes,
      parsingMs: [...parsing, parsingMs()],
    };
    if (phase === 'roll back') loops.push(...(await measureLoops(environment, plainNames, LOOPS)));
  }
  say('(b) removing the plain Deployments');
  await atMost(IN_FLIGHT, plainNames, async (name) => {
    await admin.delete(DEPLOYMENTS, { ...selection, name }, { propagationPolicy: 'Background' });
    await admin.delete(SERVICES, { ...selection, name });
  });
  await Promise.all([releases.stop(), services.stop(), deployments.stop()]);
  return { phases: phases as Record<Phase, PhaseResult>, loops };
}

export function releaseName(index: number): string {
  return `release-${String(index)}`;
}

async function passesOf({ operator }: Environment): Promise<number> {
  const lines = (await operator.metrics()).split('\n').filter((line) => line.startsWith('apprelease_reconcile_total'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
