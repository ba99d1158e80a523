import { describe, expect, test } from 'vitest';
import { own, ownOrNew } from './own.ts';

describe.each(['constructor', 'toString', 'hasOwnProperty', '__proto__'])('a key named %s', (key) => {
  test('is absent if nobody wrote it', () => {
    expect(own({}, key)).toBeUndefined();
    expect(own(undefined, key)).toBeUndefined();
  });

  test('is present if somebody wrote it', () => {
    expect(own(JSON.parse(`{"${key}":1}`) as Record<string, number>, key)).toBe(1);
  });

  test('is created and stored like any other', () => {
    const record: Record<string, object> = {};
    const made = ownOrNew(record, key, () => ({}));
    expect(ownOrNew(record, key, () => ({ other: true }))).toBe(made);
    expect(JSON.stringify(record)).toBe(`{"${key}":{}}`);
  });
});
