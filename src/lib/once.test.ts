import { expect, test, vi } from 'vitest';
import { keptBy, once, onceForKey, onceForObject } from './once.ts';

test('a value is computed when it is first asked for, and kept, also where it is undefined', () => {
  const compute = vi.fn((): number | undefined => undefined);
  const value = once(compute);
  expect(compute).not.toHaveBeenCalled();
  expect([value(), value()]).toEqual([undefined, undefined]);
  expect(compute).toHaveBeenCalledOnce();
});

test('what throws is computed anew', () => {
  let isBroken = true;
  const value = once(() => {
    if (isBroken) throw new Error('broken');
    return 1;
  });
  expect(value).toThrow('broken');
  isBroken = false;
  expect(value()).toBe(1);
});

test('each key and each object has a value of its own', () => {
  const lengthOf = vi.fn((text: string) => text.length);
  const known = onceForKey(lengthOf);
  expect([known('a'), known('bc'), known('a')]).toEqual([1, 2, 1]);
  expect(lengthOf).toHaveBeenCalledTimes(2);

  const sizeOf = vi.fn((list: readonly number[]) => list.length);
  const read = onceForObject(sizeOf);
  const list = [1, 2];
  expect([read(list), read(list), read([1, 2])]).toEqual([2, 2, 2]);
  expect(sizeOf).toHaveBeenCalledTimes(2);
});

test('an object has a value for each text', () => {
  const kept = keptBy<number>();
  const list = [1, 2];
  expect(kept([list], 'a', () => 1)).toBe(1);
  expect(kept([list], 'a', () => 2)).toBe(1);
  expect(kept([list], 'b', () => 3)).toBe(3);
  expect(kept([[1, 2]], 'a', () => 4)).toBe(4);
});

test('several objects have a value together, in their order', () => {
  const kept = keptBy<number>();
  const [one, other] = [{}, {}];
  expect(kept([one, other], '', () => 1)).toBe(1);
  expect(kept([one, other], '', () => 2)).toBe(1);
  expect(kept([other, one], '', () => 3)).toBe(3);
  expect(kept([one], '', () => 4)).toBe(4);
});
