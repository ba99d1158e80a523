import { expect, test } from 'vitest';
import { topologyOf } from '../record/revision.ts';
import { spec } from '../testing.ts';
import { loosenedGates } from './loosened-gates.ts';
import { LOOSENING_CASES } from './loosened-gates-testing.ts';

test.each(LOOSENING_CASES)('$what', ({ before, after, loosened }) => {
  expect(loosenedGates('web', topologyOf(spec({ stages: before })), topologyOf(spec({ stages: after })))).toEqual(
    loosened,
  );
});
