import { expect, test } from 'vitest';
import { createMemory, expire, expiryDue } from './memory.ts';

const AT = 1_000_000;

test.each([29_999, 30_000, 30_001, 30_002])(
  'a refusal is either in force or expired %i ms later, and a pass is due while it is in force',
  (later) => {
    const memory = createMemory();
    memory.nameConflicts.set('Service/web', { message: 'taken', at: AT });
    const now = AT + later;
    const isInForce = expire(memory, now).nameConflicts.size > 0;
    expect(expiryDue(memory, now)).toEqual(isInForce ? [AT + 30_001] : []);
  },
);
