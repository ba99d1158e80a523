// The table of docs/situations.md agrees with real statuses, and conditions have only listed reasons.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Condition } from '../../src/api/common.ts';
import type { ConditionInfo } from '../../src/api/reasons.ts';
import { CONDITIONS, reasonsOf } from '../../src/api/reasons.ts';
import { conditionIs } from '../../src/api/conditions.ts';
import { ORDERLY, SCENARIOS } from './history.ts';
import { argoHealth } from './lua.ts';
import type { Scene } from './simulation.ts';
import { simulate } from './simulation.ts';
import type { Seen, Situation } from './situations.ts';
import { look, RELEASED, SITUATIONS } from './situations.ts';

const page = await readFile(join(import.meta.dirname, '../../docs/situations.md'), 'utf8');
const [header = [], , ...rows] = page
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

/** Runs the scenario in the default order until the situation occurs. */
async function reach({ prepare, steps, when }: Situation): Promise<Seen> {
  let seen: Seen | undefined;
  const lookStep = {
    say: 'look',
    when,
    act: (scene: Scene) => {
      seen ??= look(scene);
    },
  };
  const scenario = { name: 'situation', steps: [...steps, lookStep], expect: { leftovers: true } };
  await simulate({ ...scenario, ...(prepare && { prepare }) }, ORDERLY, false);
  if (!seen) throw new Error('it never comes about');
  return seen;
}

async function rowOf(situation: Situation): Promise<string[]> {
  const { conditions, release } = await reach(situation);
  const condition = (type: string) => conditions.find((found) => found.type === type);
  const health = await argoHealth(release);
  return header.map((column) => {
    if (column === 'Situation') return situation.name;
    if (column === 'State') return condition('Ready')?.reason ?? '';
    return column === 'Argo CD' ? health : (condition(column)?.status ?? '');
  });
}

describe('docs/situations.md', () => {
  test('has a row for each situation, and no other', () => {
    expect(rows.map(([name]) => name)).toEqual(SITUATIONS.map(({ name }) => name));
  });

  test.each(SITUATIONS.map((situation) => [situation.name, situation] as const))('%s', async (name, situation) => {
    expect(rows.find(([found]) => found === name)).toEqual(await rowOf(situation));
  });

  test('a spec that the operator has not seen is Progressing in Argo CD, whatever the conditions say', async () => {
    const { release } = await reach(RELEASED);
    const { metadata } = release as { metadata: { generation: number } };
    expect(await argoHealth({ ...release, metadata: { ...metadata, generation: metadata.generation + 1 } })).toBe(
      'Progressing',
    );
  });
});

/** Conditions with reasons that the list does not have. */
function unlisted(kind: string, conditions: readonly Condition[]): string[] {
  const known: Partial<Record<string, ConditionInfo>> = CONDITIONS[kind as keyof typeof CONDITIONS];
  return conditions
    .filter(({ type, status, reason }) => !reasonsOf(known[type] ?? { means: '' }, status).includes(reason))
    .map(({ type, status, reason }) => `${kind} ${type}=${status}/${reason}`);
}

test('every condition of every scenario has a listed reason, and no release is both Stalled and Reconciling', async () => {
  const found = new Set<string>();
  for (const scenario of SCENARIOS) {
    const prepare = (scene: Scene) => {
      scene.world.onWrite(({ kind, after }) => {
        if (!(kind in CONDITIONS)) return;
        const { conditions = [] } = (after?.status ?? {}) as { conditions?: Condition[] };
        for (const one of unlisted(kind, conditions)) found.add(one);
        const both = ['Reconciling', 'Stalled'].every((type) => conditionIs(conditions, type, 'True'));
        if (both) found.add('both Reconciling and Stalled');
      });
      scenario.prepare?.(scene);
    };
    await simulate({ ...scenario, prepare }, ORDERLY, false);
  }
  expect([...found]).toEqual([]);
});
