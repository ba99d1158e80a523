/** Changes of the stages of release web, and what each loosens: for the rule, and for the policy on a real API server. */

interface StageWords {
  name: string;
  soak?: string;
  approval?: 'Manual';
  exposure?: { percent: number; for?: string; approval?: 'Manual' }[];
  pools: { name: string; serviceName?: string }[];
}

export interface LooseningCase {
  what: string;
  before: StageWords[];
  after: StageWords[];
  loosened: string[];
}

function stage(name: string, pools: string, gates: Omit<StageWords, 'name' | 'pools'> = {}): StageWords {
  return { name, ...gates, pools: pools.split(' ').map(poolOf) };
}

/** `a` or `a=service`. */
function poolOf(words: string): StageWords['pools'][number] {
  const [name = '', serviceName] = words.split('=');
  return { name, ...(serviceName !== undefined && { serviceName }) };
}

const SOAK = { soak: '30m' } as const;
const MANUAL = { approval: 'Manual' } as const;
const CANARY = stage('canary', 'a', SOAK);
const PRODUCTION = stage('production', 'b c', MANUAL);
const GATED = [CANARY, PRODUCTION];
/** Approvals before both stages. */
const TWICE = [stage('canary', 'a', MANUAL), PRODUCTION];
/** Only the soak is a gate. */
const SOAKING = [CANARY, stage('production', 'b')];
const BY_HAND = { percent: 20, approval: 'Manual' } as const;
const EXPOSED = [stage('canary', 'a', { exposure: [{ percent: 5, for: '10m' }, BY_HAND] })];
/** Nothing but the order. */
const OPEN = [stage('canary', 'a'), stage('production', 'b')];

export const APPROVAL = 'pools of stage production no longer need an approval';
const OTHER = 'pools of stage production need the approval of another stage';
const FEWER = 'pools of stage production need fewer approvals';
const SHORTER = 'pools of stage production wait for a shorter soak';
const ORDER = 'pools of stage production wait for fewer stages';
const REMOVED = 'pools of stage production are removed, or get another Service';

export const LOOSENING_CASES: readonly LooseningCase[] = [
  { what: 'no change', before: GATED, after: GATED, loosened: [] },
  {
    what: 'a shorter exposure',
    before: EXPOSED,
    after: [stage('canary', 'a', { exposure: [{ percent: 5, for: '9m' }, BY_HAND] })],
    loosened: ['pools of stage canary have a shorter exposure'],
  },
  {
    what: 'an exposure that goes',
    before: EXPOSED,
    after: [stage('canary', 'a')],
    loosened: [
      'pools of stage canary need fewer approvals in their exposure',
      'pools of stage canary have a shorter exposure',
    ],
  },
  {
    what: 'another share for the same time',
    before: EXPOSED,
    after: [stage('canary', 'a', { exposure: [{ percent: 50, for: '600s' }, BY_HAND] })],
    loosened: [],
  },
  { what: 'an approval that goes', before: GATED, after: [CANARY, stage('production', 'b c')], loosened: [APPROVAL] },
  {
    what: 'the approval of the first and only stage that goes',
    before: [stage('production', 'b', MANUAL)],
    after: [stage('production', 'b')],
    loosened: [APPROVAL],
  },
  {
    what: 'an earlier approval that goes',
    before: [stage('canary', 'a', MANUAL), stage('production', 'b')],
    after: OPEN,
    loosened: ['pools of stage canary no longer need an approval', FEWER],
  },
  {
    what: 'a shorter soak',
    before: SOAKING,
    after: [stage('canary', 'a', { soak: '29m' }), stage('production', 'b')],
    loosened: [SHORTER],
  },
  { what: 'a soak that goes', before: SOAKING, after: OPEN, loosened: [SHORTER] },
  {
    what: 'the same soak in other words',
    before: SOAKING,
    after: [stage('canary', 'a', { soak: '29m60s' }), stage('production', 'b')],
    loosened: [],
  },
  {
    what: 'a shorter soak of the last stage, for which nothing waits',
    before: [CANARY, stage('production', 'b', SOAK)],
    after: SOAKING,
    loosened: [],
  },
  {
    what: 'a pool that moves before the gates',
    before: GATED,
    after: [stage('canary', 'a b', SOAK), stage('production', 'c', MANUAL)],
    loosened: [APPROVAL, SHORTER, ORDER],
  },
  {
    what: 'a pool that moves to a later stage without an approval',
    before: GATED,
    after: [CANARY, stage('production', 'c', MANUAL), stage('last', 'b')],
    loosened: [APPROVAL],
  },
  {
    what: 'a pool that moves to another stage with an approval',
    before: TWICE,
    after: [stage('canary', 'a b', MANUAL), stage('production', 'c', MANUAL)],
    loosened: [OTHER, FEWER, ORDER],
  },
  {
    what: 'a pool that moves over a soak alone',
    before: SOAKING,
    after: [stage('canary', 'a b', SOAK)],
    loosened: [SHORTER, ORDER],
  },
  {
    what: 'another name of a stage with an approval',
    before: GATED,
    after: [CANARY, stage('live', 'b c', MANUAL)],
    loosened: [OTHER],
  },
  {
    what: 'stages that exchange their names',
    before: TWICE,
    after: [stage('production', 'a', MANUAL), stage('canary', 'b c', MANUAL)],
    loosened: ['pools of stage canary need the approval of another stage', OTHER],
  },
  { what: 'another order', before: GATED, after: [PRODUCTION, CANARY], loosened: [SHORTER, ORDER] },
  {
    what: 'another order without a soak',
    before: [stage('canary', 'a'), PRODUCTION],
    after: [PRODUCTION, stage('canary', 'a')],
    loosened: [ORDER],
  },
  {
    what: 'a stage before that goes',
    before: [stage('canary', 'a'), PRODUCTION],
    after: [PRODUCTION],
    loosened: [ORDER],
  },
  {
    what: 'all stages in one',
    before: GATED,
    after: [stage('all', 'a b c')],
    loosened: [APPROVAL, SHORTER, ORDER],
  },
  {
    what: 'a pool that goes, and may come back elsewhere',
    before: GATED,
    after: [CANARY, stage('production', 'b', MANUAL)],
    loosened: [REMOVED],
  },
  { what: 'a stage with an approval that goes', before: GATED, after: [CANARY], loosened: [REMOVED] },
  {
    what: 'another name of a pool',
    before: GATED,
    after: [stage('canary', 'a d=web-b', SOAK), stage('production', 'c', MANUAL)],
    loosened: [REMOVED],
  },
  {
    what: 'a Service that goes to a pool before the gates',
    before: GATED,
    after: [stage('canary', 'a=web-b', SOAK), stage('production', 'b=other c', MANUAL)],
    loosened: [REMOVED],
  },
  {
    what: 'the name that a Service has by default',
    before: GATED,
    after: [CANARY, stage('production', 'b=web-b c', MANUAL)],
    loosened: [],
  },
  {
    what: 'a pool without a gate that goes',
    before: [stage('canary', 'a d', SOAK), PRODUCTION],
    after: GATED,
    loosened: [],
  },
  {
    what: 'another name of a stage without a gate',
    before: GATED,
    after: [stage('first', 'a', SOAK), PRODUCTION],
    loosened: [],
  },
  {
    what: 'more gates',
    before: SOAKING,
    after: [
      stage('qa', 'd', SOAK),
      stage('canary', 'a', { soak: '1h', ...MANUAL }),
      stage('production', 'b e', MANUAL),
    ],
    loosened: [],
  },
  {
    what: 'a pool that moves behind the gates',
    before: [stage('canary', 'a d', SOAK), PRODUCTION],
    after: [CANARY, stage('production', 'b c d', MANUAL)],
    loosened: [],
  },
  { what: 'a release without gates', before: OPEN, after: [stage('production', 'b=web-a')], loosened: [] },
];
