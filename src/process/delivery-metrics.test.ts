import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { USER_ANNOTATION } from '../api/meta.ts';
import type { NoticeData } from '../release/record/actions.ts';
import { createReleaseMetrics } from './release-metrics.ts';

const NOW = Date.parse('2026-01-02T12:00:00Z');
const HOUR = 3_600;

/** What a release does: a notice, a pass that ends with a reason of Ready, or a time that goes by. */
type Step =
  | { says: string; data?: NoticeData }
  | { is: string; revision?: number; commit?: string }
  | { seconds: number }
  | 'deleted';

const DEPLOYED: Step = { says: 'PoolEntered', data: { delivery: 'Deployed', revision: 2 } };
const FAILED: Step = { says: 'RevisionFailed', data: { delivery: 'Failed', revision: 2 } };
const RELEASED: Step = { is: 'Released', revision: 2, commit: '2026-01-02T11:00:00Z' };

async function after(steps: readonly Step[]) {
  let time = 0;
  const registry = new Registry();
  const { notice, release } = createReleaseMetrics(registry, { now: () => time, serverTime: () => NOW + time });
  for (const step of steps) {
    if (step === 'deleted') release('shop/web', undefined);
    else if ('seconds' in step) time += step.seconds * 1000;
    else if ('says' in step) notice('shop/web', step.says, step.data);
    else {
      const { is: reason, revision = 2, commit } = step;
      const ready = { type: 'Ready', status: 'False' as const, reason, message: '', lastTransitionTime: '' };
      const annotations: Record<string, string> = commit === undefined ? {} : { [USER_ANNOTATION.commitTime]: commit };
      release('shop/web', { metadata: { annotations }, status: { revision, conditions: [ready] } });
    }
  }
  const lines = (await registry.metrics()).split('\n');
  const valueOf = (name: string) => {
    const line = lines.find((one) => one.startsWith(`apprelease_${name} `) || one.startsWith(`apprelease_${name}{`));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  return {
    deployed: valueOf('deployments_total'),
    failed: valueOf('failed_deployments_total'),
    restored: [valueOf('restore_seconds_count'), valueOf('restore_seconds_sum')],
    lead: [valueOf('lead_time_seconds_count'), valueOf('lead_time_seconds_sum')],
  };
}

const NONE = { deployed: 0, failed: 0, restored: [0, 0], lead: [0, 0] };

test.each<[what: string, steps: Step[], figures: Partial<Awaited<ReturnType<typeof after>>>]>([
  ['all figures start at 0', [RELEASED], {}],
  ['a deployment', [DEPLOYED, { is: 'Progressing' }], { deployed: 1 }],
  [
    'the time from the commit until every pool serves the version',
    [DEPLOYED, { is: 'Progressing' }, { seconds: 60 }, RELEASED, { seconds: 60 }, RELEASED],
    { deployed: 1, lead: [1, HOUR + 60] },
  ],
  ['no lead time of another revision', [DEPLOYED, { ...RELEASED, revision: 1 }], { deployed: 1 }],
  ['no lead time without the annotation', [DEPLOYED, { is: 'Released' }], { deployed: 1 }],
  ['no lead time of a value that is no time', [DEPLOYED, { is: 'Released', commit: 'now' }], { deployed: 1 }],
  [
    'one lead time of a commit time that stays for the next version',
    [DEPLOYED, RELEASED, { ...DEPLOYED, data: { delivery: 'Deployed', revision: 3 } }, { ...RELEASED, revision: 3 }],
    { deployed: 2, lead: [1, HOUR] },
  ],
  [
    'a failure, until the rollback is complete',
    [DEPLOYED, FAILED, { seconds: 3 }, { says: 'RollbackComplete' }, { is: 'RolledBack' }, { seconds: 9 }, RELEASED],
    { deployed: 1, failed: 1, restored: [1, 3] },
  ],
  [
    'a failure, until another version is released',
    [DEPLOYED, FAILED, RELEASED, { seconds: 3 }, { is: 'Failed' }, { seconds: 9 }, { is: 'Released', revision: 3 }],
    { deployed: 1, failed: 1, restored: [1, 12] },
  ],
  ['a rollback before the last stage restores nothing', [{ says: 'RollbackComplete' }], {}],
])('%s', async (_what, steps, figures) => {
  expect(await after(steps)).toEqual({ ...NONE, ...figures });
});

test('the series of a deleted release disappear; those of all releases stay', async () => {
  const figures = await after([DEPLOYED, RELEASED, DEPLOYED, FAILED, 'deleted']);
  expect(figures).toEqual({ deployed: undefined, failed: undefined, restored: [0, 0], lead: [1, HOUR] });
});
