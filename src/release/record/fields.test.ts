import { expect, test } from 'vitest';
import type { FieldSet } from './fields.ts';
import { pickFields } from './fields.ts';

const object = {
  name: 'x',
  map: { a: 1, b: 2 },
  ports: [
    { port: 80, protocol: 'TCP', name: 'http' },
    { port: 80, protocol: 'UDP', name: 'quic' },
  ],
  finalizers: ['a', 'b'],
};

test.each<[string, FieldSet, unknown]>([
  ['a field', { 'f:name': {} }, { 'f:name': 'x' }],
  ['undefined for a missing field', { 'f:other': { 'f:a': {} } }, { 'f:other': { 'f:a': undefined } }],
  ['no inherited property of JavaScript', { 'f:constructor': {} }, { 'f:constructor': undefined }],
  ['a map as a whole', { 'f:map': {} }, { 'f:map': { a: 1, b: 2 } }],
  ['a part of a map', { 'f:map': { 'f:b': {} } }, { 'f:map': { 'f:b': 2 } }],
  ['the presence of a map', { 'f:map': { '.': {} } }, { 'f:map': { '.': true } }],
  [
    'an item by its keys',
    { 'f:ports': { 'k:{"port":80,"protocol":"UDP"}': { '.': {}, 'f:name': {} } } },
    { 'f:ports': { 'k:{"port":80,"protocol":"UDP"}': { '.': true, 'f:name': 'quic' } } },
  ],
  [
    'undefined for a missing item',
    { 'f:ports': { 'k:{"port":81}': { '.': {}, 'f:name': {} } } },
    { 'f:ports': { 'k:{"port":81}': { '.': false, 'f:name': undefined } } },
  ],
  ['an item by its value', { 'f:finalizers': { 'v:"b"': {} } }, { 'f:finalizers': { 'v:"b"': 'b' } }],
  ['an item by its index', { 'f:finalizers': { 'i:0': {} } }, { 'f:finalizers': { 'i:0': 'a' } }],
])('picks %s', (_what, fields, picked) => {
  expect(pickFields(fields, object)).toEqual(picked);
});
