/** Builds the observed state of an exposure: revision 2 has entered pool a, where revision 1 serves. */
import { ANNOTATION } from '../../api/meta.ts';
import type { ExposureStep } from '../../api/route.ts';
import { makeNextService, trackName } from '../record/desired.ts';
import type { RouteParent, Service } from '../record/kube-objects.ts';
import type { Exposure, Facts } from '../record/recorded-data.ts';
import { readFacts } from '../record/recorded.ts';
import { topologyOf } from '../record/revision.ts';
import type { Observed } from '../state/observed.ts';
import { ago, liveService, meta, NOW, rollout } from '../testing.ts';
import type { PoolWords, Words } from '../world-testing.ts';
import { GOOD, world } from '../world-testing.ts';
import type { RouteWords } from './route-testing.ts';
import { GATEWAY, liveRouteOf, parent } from './route-testing.ts';

/** The steps of the tests. */
export const EXPOSURE: Partial<ExposureStep>[] = [
  { percent: 10, for: '1m' },
  { percent: 50, approval: 'Manual' },
];

export interface ExposureWords {
  /** The record of revision 2 in stage canary; `since`: seconds before NOW. Default: none. */
  record?: Partial<Omit<Exposure, 'since'>> & { since?: number };
  exposure?: Partial<ExposureStep>[];
  /** The revision that the second Service leads to; 0: there is no such Service. Default 2. */
  next?: number;
  /** Whether endpoints of the second Service name its pods. Default true. */
  isReached?: boolean;
  /** Number of ready pods of revision 2, of 2. Default 2. */
  ready?: number;
  /** The revision that the first Service leads to. Default 1. */
  serves?: number;
  /** The weights of both Services in the route; none: there is no route. Default: those of the record. */
  weights?: [first: number, second: number] | 'none';
  parents?: RouteParent[];
  /** The steps of stage canary that were approved, from 1. */
  approved?: number[];
  /** When the first Service was switched, in seconds before NOW. Default: never. */
  switched?: number;
  /** Whether that switch left revision 1. */
  leftBefore?: true;
  pool?: PoolWords;
  words?: Words;
}

const SETTLE = '30s';

/** The weights that the record asks for, beside 80 of pool b: pool a has 20, times 12 in the middle of a step. */
function weightsOf({ record, exposure = EXPOSURE }: ExposureWords): [number, number] {
  if (record?.phase === 'Stepping') {
    const percent = exposure[record.step ?? 0]?.percent ?? 0;
    const whole = percent > 0 && percent < 100 ? 240 : 20;
    return [(whole * (100 - percent)) / 100, (whole * percent) / 100];
  }
  return record?.phase === 'Full' || record?.phase === 'Switching' ? [0, 20] : [20, 0];
}

export function exposing(words: ExposureWords = {}): Observed {
  const { record, exposure = EXPOSURE, next = 2, isReached = true, ready = 2, serves = 1, pool, parents } = words;
  const beside: Record<number, number> = serves === 1 ? { 2: ready } : { 1: 2 };
  const base = world({
    revisions: {
      1: { in: { a: GOOD, b: GOOD } },
      2: { in: { a: { entered: 5, ...(serves === 2 && { healthySince: 1 }) } } },
    },
    stages: { canary: { exposure: exposure as ExposureStep[] } },
    pools: {
      a: { serves, beside, ...(serves === 2 && { ready }), ...pool, spec: { weight: 20, ...pool?.spec } },
      b: { spec: { weight: 80 } },
    },
    ...words.words,
    spec: { route: { ...GATEWAY, settle: SETTLE }, ...words.words?.spec },
  });
  const seen = rollout(base);
  const { spec } = seen;
  const revision = seen.revisions.find(({ number }) => number === (next || 2));
  if (!spec?.service || !revision) throw new Error('the spec is not valid');
  const target = seen.workloads.find((one) => one.pool === 'a' && one.revision === (next || 2));
  const identity = { pool: 'a', revision, strategy: 'BlueGreen' as const, key: target?.key ?? '' };
  const second = liveService(
    makeNextService({
      owner: seen.owner,
      name: 'web-a-next',
      track: target?.track ?? trackName('web-a', identity),
      revision,
      template: spec.service,
      metadata: topologyOf(spec).route?.nextMetadata,
      annotations: {},
    }),
  );
  const pods = (target?.pods ?? []).map(({ metadata, ready: isReady }) => ({
    pod: metadata.name,
    ready: isReady,
    serving: isReady,
    terminating: false,
  }));
  const [first, other] = words.weights === 'none' || words.weights === undefined ? weightsOf(words) : words.weights;
  const isFine = (first + other) % 240 === 0;
  const live: RouteWords = {
    weights: { 'web-a': first, ...(next > 0 && { 'web-a-next': other }), 'web-b': isFine ? 960 : 80 },
    parents: parents ?? [parent()],
  };
  return {
    ...base,
    revisions: base.revisions.map((one) =>
      one.revision === 2 && record
        ? {
            ...one,
            metadata: {
              ...one.metadata,
              annotations: {
                ...one.metadata.annotations,
                ...factsWith(one.metadata.annotations?.[ANNOTATION.facts], record, words.approved),
              },
            },
          }
        : one,
    ),
    services: [...base.services.map((service) => switchedAt(service, words)), ...(next > 0 ? [second] : [])],
    slices: isReached && next > 0 ? [{ metadata: meta('web-a-next-1'), service: 'web-a-next', endpoints: pods }] : [],
    httpRoutes: words.weights === 'none' ? [] : [liveRouteOf(live)],
    ...words.words?.more,
  };
}

function factsWith(
  text: string | undefined,
  { since, phase = 'Settling', step = 0, sizes }: NonNullable<ExposureWords['record']>,
  approved: readonly number[] = [],
) {
  const canary: Exposure = {
    phase,
    step,
    ...(since !== undefined && { since: new Date(NOW - since * 1000).toISOString() }),
    ...(sizes && { sizes }),
  };
  const approval = { at: ago(1), promotion: 'before', skipSoak: false };
  const approvals = Object.fromEntries(approved.map((one) => [`canary/${one}`, approval]));
  const facts: Facts = { ...readFacts(text), exposures: { canary }, approvals };
  return { [ANNOTATION.facts]: JSON.stringify(facts) };
}

function switchedAt(service: Service, { switched, leftBefore }: ExposureWords): Service {
  if (switched === undefined || service.metadata.name !== 'web-a') return service;
  const annotations = {
    ...service.metadata.annotations,
    [ANNOTATION.switchedAt]: new Date(NOW - switched * 1000).toISOString(),
    ...(leftBefore && { [ANNOTATION.previousTrack]: 'web-a-1' }),
  };
  return { ...service, metadata: { ...service.metadata, annotations } };
}
