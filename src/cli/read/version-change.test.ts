import { describe, expect, test } from 'vitest';
import type { LiveRelease } from './releases.ts';
import { gitOpsManager, versionChange } from './version-change.ts';

function release(images: Record<string, string>, more: object = {}, managers: object[] = []): LiveRelease {
  const containers = Object.entries(images).map(([name, image]) => ({ name, image }));
  const initContainers = [{ name: 'migrate', image: 'r/migrate:7' }];
  const metadata = { name: 'web', generation: 3, managedFields: managers };
  return {
    metadata,
    spec: { version: '1.0', template: { spec: { containers, initContainers } }, ...more },
  } as unknown as LiveRelease;
}

const TEST_GENERATION = { op: 'test', path: '/metadata/generation', value: 3 };

test('images with the tag of the version get the new one', () => {
  const { lines, operations } = versionChange(release({ web: 'r:5000/web:1.0', log: 'r/log:5' }), '1.1', []);
  expect(lines).toEqual(['version: 1.0 → 1.1', 'image of web: r:5000/web:1.0 → r:5000/web:1.1']);
  expect(operations).toEqual([
    TEST_GENERATION,
    { op: 'add', path: '/spec/version', value: '1.1' },
    { op: 'test', path: '/spec/template/spec/containers/0/name', value: 'web' },
    { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'r:5000/web:1.1' },
  ]);
});

test('images by name, also of init containers; the version alone is a change too', () => {
  const given = ['log=r/log:6', 'migrate=r/migrate:8', 'web=r/web:x'];
  const { lines, operations } = versionChange(release({ web: 'r/web:x', log: 'r/log:5' }), '1.1', given);
  expect(lines).toEqual([
    'version: 1.0 → 1.1',
    'image of log: r/log:5 → r/log:6',
    'image of migrate: r/migrate:7 → r/migrate:8',
  ]);
  expect(operations).toContainEqual({
    op: 'replace',
    path: '/spec/template/spec/initContainers/0/image',
    value: 'r/migrate:8',
  });
  expect(versionChange(release({ web: 'r/web:x' }), '1.1', ['web=r/web:x']).lines).toEqual(['version: 1.0 → 1.1']);
});

describe('an error says the way out:', () => {
  test.each<[string, LiveRelease, string, string[], string]>([
    [
      'an unknown container',
      release({ web: 'r/web:1.0' }),
      '1.1',
      ['wbe=r/web:1.1'],
      'no container wbe: it has web, migrate',
    ],
    [
      'no container',
      release({ web: 'r/web:1.0' }),
      '1.1',
      ['r/web:1.1'],
      '--image r/web:1.1 must be container=reference',
    ],
    [
      'no image with the tag',
      release({ web: 'r/web:latest' }),
      '1.1',
      [],
      'no image of release web has the tag 1.0: name',
    ],
    ['an image with a digest', release({ web: 'r/web:1.0@sha256:0' }), '1.1', [], 'name the images by --image'],
    ['nothing to change', release({ web: 'r/web:1.0' }), '1.0', [], 'wants version 1.0 with these images already'],
  ])('%s', (_what, of, version, images, message) => {
    expect(() => versionChange(of, version, images)).toThrow(message);
  });
});

test.each([
  ['argocd-controller', { 'f:spec': {} }, undefined, 'argocd-controller'],
  ['kustomize-controller', { 'f:spec': {} }, undefined, 'kustomize-controller'],
  ['helm', { 'f:spec': {} }, undefined, 'helm'],
  ['kubectl-client-side-apply', { 'f:spec': {} }, undefined, undefined],
  ['argocd-controller', { 'f:metadata': {} }, undefined, undefined],
  ['argocd-controller', { 'f:spec': {} }, 'status', undefined],
])('the manager %s of %j (%s) is the GitOps tool: %s', (manager, fieldsV1, subresource, expected) => {
  expect(gitOpsManager(release({}, {}, [{ manager, fieldsV1, subresource }]))).toBe(expected);
});
