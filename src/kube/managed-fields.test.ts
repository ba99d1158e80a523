import { describe, expect, test } from 'vitest';
import { asApplied, ownsAnnotation, ownsByUpdate } from './managed-fields.ts';

const applied = {
  manager: 'me',
  operation: 'Apply',
  apiVersion: 'v1',
  time: 'b',
  fieldsV1: { 'f:spec': { 'f:a': {} } },
};
const created = {
  manager: 'me',
  operation: 'Update',
  apiVersion: 'v1',
  time: 'a',
  fieldsV1: {
    'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } },
    'f:spec': { 'f:a': {}, 'f:b': { 'k:{"p":1}': {} } },
  },
};
const status = { ...created, subresource: 'status', fieldsV1: { 'f:status': {} } };
const other = { ...created, manager: 'another' };

describe('fields that a manager owns by update', () => {
  test.each([
    ['after a create', [created], true],
    ['not after an apply', [applied, other], false],
    ['not by a subresource', [status], false],
    ['not without entries', undefined, false],
  ])('%s', (_title, entries, expected) => {
    expect(ownsByUpdate(entries, 'me')).toBe(expected);
  });

  test('become those of an apply', () => {
    expect(asApplied([other, created, status], 'me')).toEqual([other, status, { ...created, operation: 'Apply' }]);
  });

  test('join those of the existing apply', () => {
    expect(asApplied([created, applied], 'me')).toEqual([
      {
        ...applied,
        fieldsV1: { 'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } }, 'f:spec': created.fieldsV1['f:spec'] },
      },
    ]);
  });

  test('do not exist for a manager that owns nothing', () => {
    expect(asApplied([other], 'me')).toEqual([other]);
  });
});

test.each([
  ['me', 'x', true],
  ['another', 'x', false],
  ['me', 'y', false],
])('%s set the annotation %s: %s', (manager, name, expected) => {
  const entry = { ...created, fieldsV1: { 'f:metadata': { 'f:annotations': { '.': {}, 'f:x': {} } } } };
  expect(ownsAnnotation([status, entry], manager, name)).toBe(expected);
  expect(ownsAnnotation(undefined, manager, name)).toBe(false);
});
