import { stripVTControlCharacters, styleText } from 'node:util';
import { expect, test } from 'vitest';
import { renderRow, renderTable, shortDigest, type PoolRow, type TableOptions } from './table.ts';

const plain: TableOptions = { width: 100, paint: (_format, text) => text, dots: false, versions: ['1.0.0', '1.1.0'] };
const coloured: TableOptions = {
  ...plain,
  dots: true,
  paint: (format, text) => styleText(format, text, { validateStream: false }),
};

const canary: PoolRow = {
  pool: 'canary-vms',
  stage: 'canary',
  version: '1.0.0',
  next: '1.1.0',
  held: false,
  ready: 1,
  replicas: 1,
  digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
  pods: [
    { version: '1.0.0', ready: 1, total: 1 },
    { version: '1.1.0', ready: 0, total: 1 },
  ],
};
const production: PoolRow = {
  ...canary,
  pool: 'prod-a',
  stage: 'production',
  version: '1.1.0',
  next: '1.1.0',
  ready: 2,
  replicas: 3,
  rollback: { readiness: 'Warm', version: '1.0.0' },
  pods: [{ version: '1.1.0', ready: 2, total: 3 }],
};
const empty: PoolRow = { pool: 'prod-b', stage: 'production', held: false, ready: 0, replicas: 3, pods: [] };

test('columns are aligned, and the next version is shown beside the serving one', () => {
  expect(renderTable([canary, production, empty], plain)).toEqual([
    '  POOL        STAGE       VERSION        READY  DIGEST      ROLLBACK TO',
    '  canary-vms  canary      1.0.0 → 1.1.0  1/1    0123456789',
    '  prod-a      production  1.1.0          2/3    0123456789  1.0.0 warm',
    '  prod-b      production  -              0/3',
  ]);
});

test('colours change no width, and dots stand for pods', () => {
  const lines = renderTable([canary, production], coloured);
  expect(lines.join('')).toContain('\u001b[');
  expect(lines.map(stripVTControlCharacters)).toEqual([
    '  POOL        STAGE       VERSION        READY  DIGEST      ROLLBACK TO  PODS',
    '  canary-vms  canary      1.0.0 → 1.1.0  1/1    0123456789               ● ○',
    '  prod-a      production  1.1.0          2/3    0123456789  1.0.0 warm   ●●○',
  ]);
});

test('without colours the output is plain text', () => {
  expect(stripVTControlCharacters(renderTable([canary], plain).join())).toBe(renderTable([canary], plain).join());
});

test.each([
  [80, 'POOL STAGE VERSION READY DIGEST ROLLBACK TO PODS'],
  [76, 'POOL STAGE VERSION READY DIGEST ROLLBACK TO'],
  [65, 'POOL VERSION READY DIGEST ROLLBACK TO'],
  [50, 'POOL VERSION READY ROLLBACK TO'],
])('a terminal of %d columns gets the columns that fit', (width, head) => {
  const lines = renderTable([canary, production], { ...coloured, width }).map(stripVTControlCharacters);
  expect(lines[0]?.trim().replaceAll(/ +/g, ' ')).toBe(head);
});

test('no line is longer than the terminal, however narrow', () => {
  for (let width = 1; width < 90; width++) {
    const lines = renderTable([canary, production, empty], { ...coloured, width }).map(stripVTControlCharacters);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
  }
});

test('a pool that a rollback holds is marked', () => {
  expect(renderTable([{ ...production, held: true }], plain)[1]).toContain('1.1.0 held');
});

test('one row alone is one line', () => {
  expect(renderRow(canary, plain)).toBe('canary-vms · canary · 1.0.0 → 1.1.0 · 1/1 · 0123456789');
  expect(renderRow(empty, plain)).toBe('prod-b · production · - · 0/3');
});

test('a digest is shortened to distinguishable characters', () => {
  expect(shortDigest(canary.digest)).toBe('0123456789');
  expect(shortDigest(undefined)).toBe('');
});
