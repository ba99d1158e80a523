import { expect, test } from 'vitest';
import { testIo } from '../testing.ts';
import type { LiveRelease } from '../read/releases.ts';
import { valuesOf, wordsOf } from './values.ts';

const release = {
  spec: {
    stages: [
      { name: 'canary', pools: [{ name: 'canary-vms' }] },
      { name: 'production', pools: [{ name: 'prod-a' }, { name: 'prod-b' }] },
    ],
  },
  status: {
    history: [
      { revision: 3, version: '2.0', outcome: 'Progressing' },
      { revision: 2, version: '2.0', outcome: 'Failed' },
      { revision: 1, version: '1.0', outcome: 'Good' },
    ],
  },
} as unknown as LiveRelease;

test.each([
  ['stage', ['canary', 'production']],
  ['pool', ['canary-vms\tstage canary', 'prod-a\tstage production', 'prod-b\tstage production']],
  ['goal', ['stage/canary', 'pool/canary-vms', 'stage/production', 'pool/prod-a', 'pool/prod-b']],
  ['revision', ['3\t2.0, Progressing', '2\t2.0, Failed', '1\t1.0, Good']],
  ['version', ['2.0\tProgressing', '1.0\tGood']],
] as const)('the values of %s', (placeholder, expected) => {
  const words = wordsOf(placeholder, release);
  expect(words.map(({ text, help }) => (help === '' ? text : `${text}\t${help}`))).toEqual(expected);
});

test('without a cluster there are no names, and no error', async () => {
  const io = testIo();
  expect(await valuesOf('name', { positional: [], options: {} }, io)).toEqual([]);
  expect(await valuesOf('version', { positional: ['web'], options: {} }, io)).toEqual([]);
  expect(await valuesOf('text', { positional: [], options: {} }, io)).toEqual([]);
  expect(io.written).toEqual({ out: '', err: '' });
});

test('reasons need no cluster', async () => {
  const words = await valuesOf('reason', { positional: [], options: {} }, testIo());
  expect(words.map(({ text }) => text)).toEqual(expect.arrayContaining(['Soaking', 'NoCapacity', 'NodesDraining']));
});
