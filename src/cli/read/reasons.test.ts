import { describe, expect, it } from 'vitest';
import { CONDITIONS, reasonsOfKind } from '../../api/reasons.ts';
import { paintFor } from '../print/paint.ts';
import { printExplanation } from '../print/explanation.ts';
import type { Kind } from './reasons.ts';
import { explain, similarReasons } from './reasons.ts';
import { troubleshootingPage } from './troubleshooting.ts';

const page = troubleshootingPage();
const all = (Object.keys(CONDITIONS) as Kind[]).flatMap((kind) =>
  reasonsOfKind(kind).map((reason) => ({ kind, reason })),
);

it.each(all)('$kind $reason has a text and a condition, without marks of Markdown', ({ kind, reason }) => {
  const found = explain(page, reason).find((one) => one.kind === kind);
  expect(found?.text).toMatch(/\S/);
  expect(found?.uses.length).toBeGreaterThan(0);
  const text = found ? printExplanation(found, 80, paintFor(false)) : '';
  expect(text).not.toMatch(/^#|```|\]\(/m);
});

describe('a reason', () => {
  it('is found whatever its case, in each kind that has it', () => {
    expect(explain(page, 'failed').map(({ kind, reason }) => `${kind} ${reason}`)).toEqual([
      'AppRelease Failed',
      'ReleasePromotion Failed',
    ]);
  });

  it('has what is told of all reasons of its group', () => {
    expect(explain(page, 'NothingToReturnTo')[0]?.group).toMatch(/^The operator did not roll back/);
    expect(explain(page, 'Holding')[0]?.group).toBe('');
  });

  it.each([
    ['Soking', ['Soaking']],
    ['waitingforaproval', ['WaitingForApproval']],
    ['xyzxyzxyz', []],
  ])('%s is like %j', (asked, similar) => {
    expect(explain(page, asked)).toEqual([]);
    expect(similarReasons(asked).slice(0, 1)).toEqual(similar);
  });
});

it('prints commands as they are, and paragraphs in the width', () => {
  const [found] = explain(page, 'Paused');
  const text = found ? printExplanation(found, 60, paintFor(false)) : '';
  expect(text).toMatch(/^Paused \(AppRelease\)\n {2}Ready=False, where True means: The wanted version serves/);
  expect(text).toContain('\n    kubectl annotate apprelease web --namespace shop apprelease.dev/paused-\n');
  expect(
    text
      .split('\n')
      .filter((line) => !line.startsWith('    '))
      .every((line) => line.length <= 60),
  ).toBe(true);
});
