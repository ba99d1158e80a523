// Parts (d) and (e): what the operator costs while nothing happens, and how its memory grows.
import { setTimeout as delay } from 'node:timers/promises';
import { atMost } from './at-most.ts';
import type { Environment } from './environment.ts';
import { settledRequests } from './environment.ts';
import { IN_FLIGHT, releaseName } from './fleet.ts';
import { keepReleaseState } from './kept.ts';
import { NAMESPACE, narrowRelease, RELEASES } from './objects.ts';
import type { Request } from './requests.ts';
import { watchObjects } from './watching.ts';

/** Everything that was asked in so many idle seconds. */
export async function measureIdle(environment: Environment, seconds: number): Promise<Request[]> {
  await settledRequests(environment);
  environment.say(`(d) ${String(seconds)} idle seconds`);
  await environment.requests.take();
  await delay(seconds * 1000);
  return environment.requests.take();
}

export interface Footprint {
  releases: number;
  when: string;
  residentMB: number;
  /** The most so far, in the middle of work. */
  peakMB: number;
  /** Since the process began. */
  cpuSeconds: number;
  /** What of the memory is used by the heap, and by what it refers to, in MB. */
  heapMB: number;
}

/** The least of so many seconds without work: between two garbage collections it is more. */
export async function measureFootprint(environment: Environment, releases: number, when: string): Promise<Footprint> {
  await settledRequests(environment);
  environment.say(`(e) memory, ${String(releases)} releases`);
  const samples: number[] = [];
  for (let sample = 0; sample < environment.samples; sample += 1) {
    samples.push(await environment.operator.residentMB());
    await delay(1000);
  }
  const { peakMB, cpuSeconds, metrics } = environment.operator;
  const heapMB = heapOf(await metrics());
  const [peak, cpu] = [await peakMB(), await cpuSeconds()];
  return { releases, when, residentMB: Math.min(...samples), peakMB: peak, cpuSeconds: cpu, heapMB };
}

function heapOf(metrics: string): number {
  const bytes = ['nodejs_heap_size_used_bytes', 'nodejs_external_memory_bytes'].map((name) =>
    Number(new RegExp(`^${name} (.*)$`, 'm').exec(metrics)?.[1] ?? 0),
  );
  return bytes.reduce((sum, one) => sum + one, 0) / 1e6;
}

/** Adds releases like those of the fleet until there are `to`. */
export async function addReleases(environment: Environment, from: number, to: number): Promise<void> {
  const { admin, say } = environment;
  say(`(e) adding releases up to ${String(to)}`);
  const releases = await watchObjects(admin, RELEASES, keepReleaseState, { namespace: NAMESPACE });
  const indexes = Array.from({ length: to - from }, (_, index) => from + index);
  const ready = releases.every('releases', indexes.map(releaseName), (release) => release.ready);
  await atMost(IN_FLIGHT, indexes, (index) => admin.create(RELEASES, narrowRelease(releaseName(index), 'v1', index)));
  await ready;
  await releases.stop();
}
