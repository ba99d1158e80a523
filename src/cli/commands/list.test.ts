import { expect, test } from 'vitest';
import { paintFor } from '../print/paint.ts';
import type { LiveRelease } from '../read/releases.ts';
import { releaseTable } from './list.ts';

const NOW = Date.parse('2026-01-01T00:05:00Z');

function release(name: string, status?: object): LiveRelease {
  const metadata = {
    name,
    namespace: 'shop',
    uid: name,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return { metadata, spec: { version: '1.0', stages: [] }, status } as unknown as LiveRelease;
}

const RELEASES = [
  release('web', {
    stage: 'production',
    readyPools: '3/3',
    revision: 4,
    conditions: [
      { type: 'Ready', status: 'True', reason: 'Released', message: 'all is well' },
      { type: 'Available', status: 'True', reason: 'Available', message: '' },
    ],
  }),
  release('new'),
];

test('a release that no operator has seen is in the table too', () => {
  expect(releaseTable(RELEASES, NOW, { allNamespaces: false, isWide: false }, paintFor(false))).toBe(
    `NAME   VERSION   STATE      STAGE        POOLS   AGE
web    1.0       Released   production   3/3     5m
new    1.0       Unknown    -            -       5m
`,
  );
});

test('the wide table has namespaces, revisions and messages, and colours do not move its columns', () => {
  const layout = { allNamespaces: true, isWide: true };
  const plain = releaseTable(RELEASES, NOW, layout, paintFor(false));
  expect(plain).toMatch(/^shop +web +1\.0 +Released +production +3\/3 +True +4 +5m +all is well$/m);
  expect(plain).toMatch(/^shop +new .* False +- +5m +no operator has seen this release/m);
  const coloured = releaseTable(RELEASES, NOW, layout, paintFor(true));
  expect(coloured).toContain('\u001B[32mReleased\u001B[39m');
  // eslint-disable-next-line no-control-regex -- the colours
  expect(coloured.replaceAll(/\u001B\[\d+m/g, '')).toBe(plain);
});
