import { expect, test } from 'vitest';
import { firstOf } from './first-of.ts';

test('the first rule that answers decides, and the rules after it do not run', () => {
  const ran: string[] = [];
  const rule = (name: string, limit: number) => (value: number) => {
    ran.push(name);
    return value > limit ? { name } : undefined;
  };
  const rules = [rule('large', 100), rule('medium', 10), rule('small', 1)];
  expect(firstOf(rules, 50)).toEqual({ name: 'medium' });
  expect(ran).toEqual(['large', 'medium']);
  expect(firstOf(rules, 0)).toBeUndefined();
});
