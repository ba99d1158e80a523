import { expect, it } from 'vitest';
import { imagePresence } from './images.ts';
import { vm } from './testing.ts';

const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;

it('compares digests, because the digest of a tag on a VM is unknown', () => {
  const nodes = [vm('1', { images: [`web@${A}`, 'web:1'] }), vm('2', { images: ['web:1'] })];
  expect(imagePresence(nodes, [A])).toEqual({ have: 1, unknown: 0, of: 2 });
});

it('needs all images', () => {
  const nodes = [vm('1', { images: [`web@${A}`] }), vm('2', { images: [`web@${A}`, `other@${B}`] })];
  expect(imagePresence(nodes, [A, B])).toEqual({ have: 1, unknown: 0, of: 2 });
});

it('is unknown for a VM that reports only part of its images', () => {
  expect(imagePresence([vm('1', { imagesTruncated: true })], [A])).toEqual({ have: 0, unknown: 1, of: 1 });
  expect(imagePresence([], [A])).toEqual({ have: 0, unknown: 0, of: 0 });
});
