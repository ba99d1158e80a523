import { describe, expect, test } from 'vitest';
import { jsonFault, withoutNulls } from './json.ts';

function nested(levels: number): unknown {
  let value: unknown = 'end';
  for (let level = 0; level < levels; level += 1) value = level % 2 === 0 ? { a: value } : [value];
  return value;
}

describe('jsonFault refuses a value', () => {
  test('that is nested too deeply for recursive functions', () => {
    expect(jsonFault(nested(100))).toBeUndefined();
    expect(jsonFault(nested(101))).toMatchObject({ message: 'nested deeper than 100 levels' });
    expect(jsonFault(nested(100_000))?.path).toHaveLength(100);
  });

  test('with the key __proto__', () => {
    expect(jsonFault(JSON.parse('{"a":[{"b":{"__proto__":1}}]}'))).toEqual({
      path: ['a', 0, 'b', '__proto__'],
      message: 'no field can have this name',
    });
    expect(jsonFault({ constructor: { toString: ['hasOwnProperty'] } })).toBeUndefined();
  });
});

describe('null means absent', () => {
  test('at every depth, except for list entries', () => {
    expect(withoutNulls({ a: null, b: [{ c: null, d: 0 }, null], e: { f: { g: null } }, h: '' })).toEqual({
      b: [{ d: 0 }, null],
      e: { f: {} },
      h: '',
    });
  });

  test('a value without nulls is returned as the same object', () => {
    const value = { a: [{ b: 1 }] };
    expect(withoutNulls(value)).toBe(value);
  });
});
