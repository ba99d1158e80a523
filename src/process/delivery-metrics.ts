/**
 * The figures of delivery (https://dora.dev/guides/dora-metrics/): how often versions are deployed, how many of them fail, how
 * long it takes until a version works again, and how long a commit takes until it is everywhere.
 */
import { Counter, Histogram, type Registry } from 'prom-client';
import type { AppRelease } from '../api/app-release.ts';
import { findCondition } from '../api/conditions.ts';
import { USER_ANNOTATION } from '../api/meta.ts';
import type { NoticeData } from '../release/record/actions.ts';
import { leadSeconds } from './lead-time.ts';

type Labels = Readonly<{ namespace: string; release: string }>;

/** What is read of a release. */
export type Delivered = Pick<AppRelease, 'status'> & { metadata?: Pick<AppRelease['metadata'], 'annotations'> };

export interface DeliveryMetrics {
  /** The counters of the release start at 0. */
  begin: (labels: Labels) => void;
  notice: (key: string, labels: Labels, reason: string, data: NoticeData) => void;
  /** Called after each pass. */
  release: (key: string, release: Delivered) => void;
  /** `labels`: those of its series, if it has series of its own. */
  forget: (key: string, labels: Labels | undefined) => void;
}

interface Clocks {
  /** A monotonic clock (ms). */
  now: () => number;
  /** The time of the API server (ms since the epoch). */
  serverTime: () => number;
}

const [MINUTE, HOUR, DAY] = [60, 3_600, 86_400];
/** The classes of DORA end at an hour, a day, a week, a month and half a year. */
const RESTORE_BUCKETS = [1, 10, 30, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY, 7 * DAY];
const LEAD_BUCKETS = [5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 180 * DAY];

export function createDeliveryMetrics(registry: Registry, { now, serverTime }: Clocks): DeliveryMetrics {
  const registers = [registry];
  const labelNames = ['namespace', 'release'] as const;
  const deployments = new Counter({
    name: 'apprelease_deployments_total',
    help: 'Versions that entered the last stage.',
    labelNames,
    registers,
  });
  const failures = new Counter({
    name: 'apprelease_failed_deployments_total',
    help: 'Versions that failed or were taken back after they had entered the last stage.',
    labelNames,
    registers,
  });
  const restore = new Histogram({
    name: 'apprelease_restore_seconds',
    help: 'Time from the failure of a deployed version, or the rollback of it, until the rollback is complete or a version is released, as seen by this process.',
    buckets: RESTORE_BUCKETS,
    registers,
  });
  const lead = new Histogram({
    name: 'apprelease_lead_time_seconds',
    help: 'Time from the commit (annotation apprelease.dev/commit-time) until every pool serves the version, for deployments that this process saw from the start.',
    buckets: LEAD_BUCKETS,
    registers,
  });
  /** Release → since when its deployed version has failed, and whether the status has told that. */
  const broken = new Map<string, { since: number; told?: true }>();
  /** Release → revision that is deployed and not yet in every pool. */
  const deploying = new Map<string, number>();
  /** Release → commit time of its last deployment: another version without a new one has no lead time. */
  const commits = new Map<string, string>();

  function restored(key: string): void {
    const found = broken.get(key);
    if (found) restore.observe((now() - found.since) / 1000);
    broken.delete(key);
  }

  function arrived(key: string, commit: string | undefined): void {
    deploying.delete(key);
    if (commit === undefined || commits.get(key) === commit) return;
    commits.set(key, commit);
    const seconds = leadSeconds(commit, serverTime());
    if (seconds !== undefined) lead.observe(seconds);
  }

  return {
    begin: (labels) => {
      deployments.inc(labels, 0);
      failures.inc(labels, 0);
    },
    notice: (key, labels, reason, { delivery, revision }) => {
      if (delivery === 'Deployed') {
        deployments.inc(labels);
        if (revision !== undefined) deploying.set(key, revision);
      }
      if (delivery === 'Failed') {
        failures.inc(labels);
        deploying.delete(key);
        if (!broken.has(key)) broken.set(key, { since: now() });
      }
      if (reason === 'RollbackComplete') restored(key);
    },
    release: (key, { metadata, status }) => {
      const isReleased = findCondition(status?.conditions, 'Ready')?.reason === 'Released';
      const failed = broken.get(key);
      if (failed && !isReleased) failed.told = true;
      if (failed?.told && isReleased) restored(key);
      if (isReleased && status?.revision !== undefined && deploying.get(key) === status.revision)
        arrived(key, metadata?.annotations?.[USER_ANNOTATION.commitTime]);
    },
    forget: (key, labels) => {
      for (const state of [broken, deploying, commits]) state.delete(key);
      if (labels) for (const counter of [deployments, failures]) counter.remove(labels);
    },
  };
}
