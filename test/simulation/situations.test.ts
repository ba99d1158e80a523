// The table of docs/situations.md agrees with real statuses, and conditions have only listed reasons.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Condition } from '../../src/api/common.ts';
import type { ConditionInfo } from '../../src/api/reasons.ts';
import { CONDITIONS, reasonsOf } from '../../src/api/reasons.ts';
import { ORDERLY, SCENARIOS } from './history.ts';
import { kstatus } from './kstatus.ts';
import { argoHealth } from './lua.ts';
import type { Scene } from './simulation.ts';
import { simulate } from './simulation.ts';
import type { Seen, Situation } from './situations.ts';
import { look, RELEASED, REQUESTS, SITUATIONS } from './situations.ts';

const page = await readFile(join(import.meta.dirname, '../../docs/situations.md'), 'utf8');
/** The table of a section: its header and rows. */
function table(heading: string): { header: string[]; rows: string[][] } {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const [header = [], , ...rows] = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return { header, rows };
}

/** Runs the scenario in the default order until the situation occurs. */
async function reach(situation: Situation): Promise<Seen> {
  const { prepare, when } = situation;
  let seen: Seen | undefined;
  const lookAt = (scene: Scene) => {
    seen ??= look(situation, scene);
  };
  const steps = when
    ? [...situation.steps, { say: 'look', when, act: lookAt }]
    : situation.steps.map((step) => ({
        ...step,
        act: (scene: Scene) => {
          step.act(scene);
          lookAt(scene);
        },
      }));
  const scenario = { name: 'situation', steps, expect: { leftovers: true } };
  await simulate({ ...scenario, ...(prepare && { prepare }) }, ORDERLY, false);
  if (!seen) throw new Error('it never comes about');
  return seen;
}

async function rowOf(situation: Situation, header: readonly string[]): Promise<string[]> {
  const { conditions, object } = await reach(situation);
  const condition = (type: string) => conditions.find((found) => found.type === type);
  const judged: Partial<Record<string, string>> = {
    Situation: situation.name,
    State: condition('Ready')?.reason ?? '',
    kstatus: await kstatus(object),
    'Argo CD': await argoHealth(object),
  };
  return header.map((column) => judged[column] ?? condition(column)?.status ?? '');
}

describe.each([
  ['AppRelease', SITUATIONS],
  ['ReleaseRollback and ReleasePromotion', REQUESTS],
])('docs/situations.md, %s', (heading, situations) => {
  const { header, rows } = table(heading);

  test('has a row for each situation, and no other', () => {
    expect(rows.map(([name]) => name)).toEqual(situations.map(({ name }) => name));
  });

  test.each(situations.map((situation) => [situation.name, situation] as const))('%s', async (name, situation) => {
    expect(rows.find(([found]) => found === name)).toEqual(await rowOf(situation, header));
  });
});

test('a spec that the operator has not seen is in progress, whatever the conditions say', async () => {
  const { object } = await reach(RELEASED);
  const { metadata } = object;
  const edited = { ...object, metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 } };
  expect([await kstatus(edited), await argoHealth(edited)]).toEqual(['InProgress', 'Progressing']);
});

/** Conditions with reasons that the list does not have. */
function unlisted(kind: string, conditions: readonly Condition[]): string[] {
  const known: Partial<Record<string, ConditionInfo>> = CONDITIONS[kind as keyof typeof CONDITIONS];
  return conditions
    .filter(({ type, status, reason }) => !reasonsOf(known[type] ?? { means: '' }, status).includes(reason))
    .map(({ type, status, reason }) => `${kind} ${type}=${status}/${reason}`);
}

test('every condition of every scenario has a listed reason', async () => {
  const found = new Set<string>();
  for (const scenario of SCENARIOS) {
    const prepare = (scene: Scene) => {
      scene.world.onWrite(({ kind, after }) => {
        if (!(kind in CONDITIONS)) return;
        const { conditions = [] } = (after?.status ?? {}) as { conditions?: Condition[] };
        for (const one of unlisted(kind, conditions)) found.add(one);
      });
      scenario.prepare?.(scene);
    };
    await simulate({ ...scenario, prepare }, ORDERLY, false);
  }
  expect([...found]).toEqual([]);
});
