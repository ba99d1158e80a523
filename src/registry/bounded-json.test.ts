import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseBoundedJson } from './bounded-json.ts';

const bounds = { maxDepth: 3, maxValues: 10 };

it.each([
  ['{"a":[1,{"b":2}]}', { a: [1, { b: 2 }] }],
  ['{"a":"[[[[{{{{,,,,,,,,,,,,::"}', { a: '[[[[{{{{,,,,,,,,,,,,::' }],
  ['{"a":"\\"[[[["}', { a: '"[[[[' }],
  ['{"a":"\\\\"}', { a: '\\' }],
  ['[[[[1]]]]', undefined],
  ['[1,2,3,4,5,6,7,8,9,10]', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
  ['[1,2,3,4,5,6,7,8,9,10,11]', undefined],
  ['{"a":{"b":1,"c":2},"d":3,"e":4}', { a: { b: 1, c: 2 }, d: 3, e: 4 }],
  ['{"a":{"b":1,"c":2},"d":3,"e":4,"f":5}', undefined],
  ['', undefined],
  ['"', undefined],
  ['"\\', undefined],
  ['{"a":', undefined],
  ['web page', undefined],
])('%s', (text, value) => {
  expect(parseBoundedJson(Buffer.from(text), bounds)).toEqual(value);
});

it('reads what JSON.parse reads', () => {
  const wide = { maxDepth: 1000, maxValues: 1_000_000 };
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(parseBoundedJson(Buffer.from(text), wide)).toEqual(JSON.parse(text));
    }),
  );
});
