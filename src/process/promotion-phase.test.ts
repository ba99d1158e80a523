import { expect, test } from 'vitest';
import { CONDITIONS } from '../api/reasons.ts';
import { phaseOf } from './promotion-phase.ts';

const { Ready } = CONDITIONS.AppRelease;

test.each(Ready.False.filter((reason) => reason !== 'RolledBack'))(
  'a promotion with the reason %s has a phase',
  (reason) => {
    expect(phaseOf(reason)).toBeDefined();
  },
);

test.each(['Released', 'RolledBack', 'FormerReason', 'constructor', ''])('there is no promotion: %s', (reason) => {
  expect(phaseOf(reason)).toBeUndefined();
});
