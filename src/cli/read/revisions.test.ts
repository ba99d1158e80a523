import { describe, expect, it } from 'vitest';
import { revision, spec } from '../../release/testing.ts';
import { paintDiff } from '../print/diff.ts';
import { diffOf, findRevision } from './revisions.ts';

function version(number: number, name: string, env: object[] = []) {
  const ports = [{ name: 'http', containerPort: 80 }];
  const container = { name: 'main', image: `web:${name}`, ports, ...(env.length > 0 && { env }) };
  return revision(number, spec({ version: name, template: { spec: { containers: [container] } } }));
}

const REVISIONS = [
  version(1, '1.0'),
  version(2, '1.1'),
  version(3, '1.0', [{ name: 'A', value: '1' }]),
  version(4, '2'),
];

describe('a revision', () => {
  it.each([
    ['1', 1],
    ['1.0', 3],
    ['1.1', 2],
    ['4', 4],
    // A number comes first.
    ['2', 2],
  ])('%s is revision %i', (text, number) => {
    expect(findRevision(REVISIONS, text).number).toBe(number);
  });

  it('that is not recorded is refused with those that are', () => {
    expect(() => findRevision(REVISIONS.slice(0, 2), '9')).toThrow(
      'no revision or version 9 is recorded: there is revision 1 (1.0), revision 2 (1.1)',
    );
  });
});

it('shows image, variables and version as a unified diff', () => {
  const secret = [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'web', key: 'password' } } }];
  const patch = diffOf(version(1, '1.0'), version(2, '1.1', secret));
  expect(patch).toMatch(/^--- revision 1 \(1\.0\)\n\+\+\+ revision 2 \(1\.1\)\n@@ /);
  expect(patch).toContain('\n-version: "1.0"\n+version: "1.1"\n');
  expect(patch).toContain('\n+      image: web:1.1\n');
  expect(patch).toContain('\n-      image: web:1.0\n+      env:\n+      - name: PASSWORD\n');
  expect(patch).toMatch(/^- {2}web:1\.0: web:1\.0@sha256:a{64}\n\+ {2}web:1\.1: web:1\.1@sha256:a{64}$/m);
});

it('shows nothing for equal revisions, whatever the order of their keys', () => {
  const [one, other] = [version(1, '1.0'), version(2, '1.0')];
  const { version: name, ...rest } = other.data.input;
  expect(diffOf(one, { ...other, data: { ...other.data, input: { ...rest, version: name } } })).toBe('');
});

it('paints lines by their begin, and only the head as a head', () => {
  const patch = '--- a\n+++ b\n@@ -1 +1 @@\n same\n---- x\n+y\u001b[2J\n';
  expect(paintDiff(patch, (tone, text) => `${tone}(${text})`)).toBe(
    'strong(--- a)\nstrong(+++ b)\ndim(@@ -1 +1 @@)\n same\nbad(---- x)\ngood(+y\\u001b[2J)\n',
  );
});
