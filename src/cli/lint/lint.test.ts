import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fieldOf, pathOf } from './documents.ts';
import { lintFile } from './lint.ts';

const WEB = `apiVersion: apprelease.dev/v1alpha1
kind: AppRelease
metadata: { name: web }
spec:
  version: 1.0.0
  service: { ports: [{ port: 80, targetPort: http }] }
  template:
    spec:
      containers:
        - name: web
          image: registry.example.com/web:1.0.0
          ports: [{ name: http, containerPort: 8080 }]
  stages:
    - name: production
      pools:
        - name: prod-a
          replicas: 2
`;

/** line:column field: message */
function problems(text: string): string[] {
  return lintFile(text).problems.map(
    ({ line, column, field, message }) => `${line}:${column} ${field}${field === '' ? '' : ': '}${message}`,
  );
}

test('a good file has no problem, and objects of other groups are left alone', () => {
  expect(problems(WEB)).toEqual([]);
  expect(lintFile(WEB).objects.map(({ kind, value }) => [kind.kind, value.metadata?.name])).toEqual([
    ['AppRelease', 'web'],
  ]);
  expect(lintFile(`apiVersion: v1\nkind: ConfigMap\nwrong: 1\n---\n---\n# nothing\n`)).toEqual({
    problems: [],
    objects: [],
  });
});

describe('a problem has the place of its field:', () => {
  test.each<[string, string, string[]]>([
    [
      'YAML that cannot be parsed',
      WEB.replace('[{ port: 80', '[{ port: 80:'),
      [expect.stringMatching(/^6:\d+ /) as string],
    ],
    [
      'an unknown field',
      WEB.replace('replicas: 2', 'replica: 2'),
      ['17:11 spec.stages[0].pools[0].replica: unknown field: did you mean replicas?'],
    ],
    [
      'a wrong type',
      WEB.replace('replicas: 2', 'replicas: two'),
      ['17:11 spec.stages[0].pools[0].replicas: Invalid input: expected number, received string'],
    ],
    [
      'a broken CEL rule',
      WEB.replace('  service: { ports: [{ port: 80, targetPort: http }] }\n', ''),
      [expect.stringMatching(/^4:1 spec: .*spec\.service/) as string],
    ],
    [
      'a check of the operator',
      WEB.replace('targetPort: http', 'targetPort: htp'),
      [
        expect.stringMatching(
          /^6:\d+ spec\.service\.ports\[0\]\.targetPort: no container .* named "htp": name one of http/,
        ) as string,
      ],
    ],
    ['another version', WEB.replace('v1alpha1', 'v1'), ['1:1 apiVersion: must be apprelease.dev/v1alpha1']],
    [
      'another kind',
      WEB.replace('kind: AppRelease', 'kind: AppRelaese'),
      ['2:1 kind: must be one of AppRelease, ReleaseRollback, ReleasePromotion, VMPool'],
    ],
    ['no name', WEB.replace('name: web }', 'labels: {} }'), ['3:1 metadata: metadata.name is required']],
    [
      'the second document',
      `${WEB}---\napiVersion: apprelease.dev/v1alpha1\nkind: ReleaseRollback\nmetadata: { name: back }\nspec: { release: web, toVersion: "1", toRevision: 2 }\n`,
      ['22:1 spec: give toVersion or toRevision, not both'],
    ],
    [
      'an item of a List',
      `apiVersion: v1\nkind: List\nitems:\n  - apiVersion: apprelease.dev/v1alpha1\n    kind: VMPool\n    metadata: { name: x }\n    spec: { nodeSelectr: {} }\n`,
      [expect.stringMatching(/^7:13 spec\.nodeSelectr: unknown field/) as string],
    ],
    [
      'a key that is given twice',
      WEB.replace('version: 1.0.0', 'version: 1.0.0\n  version: 2.0.0'),
      [expect.stringMatching(/^6:3 .*unique/) as string],
    ],
    ['no spec', 'apiVersion: apprelease.dev/v1alpha1\nkind: VMPool\nmetadata: { name: x }\n', ['1:1 spec is required']],
  ])('%s', (_what, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });
});

test('the problems of a file are in the order of its lines', () => {
  const text = WEB.replace('replicas: 2', 'replicas: two').replace('version: 1.0.0', 'version: 1');
  expect(problems(text).map((line) => line.split(':')[0])).toEqual(['5', '17']);
});

test('hostile YAML ends soon, and is told as a problem', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
    .split('')
    .map(
      (name, index) =>
        `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[index] ?? ''}`).join(',')}]`,
    )
    .join('\n')}\n`;
  expect(problems(bomb)).toEqual([expect.stringMatching(/alias/i) as string]);
  expect(
    problems(
      '__proto__: 1\napiVersion: apprelease.dev/v1alpha1\nkind: VMPool\nmetadata: {name: x}\nspec: {__proto__: {a: 1}}',
    ),
  ).toHaveLength(1);
});

test('every example has no problem', () => {
  const folder = join(import.meta.dirname, '../../../examples');
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) expect(problems(readFileSync(join(folder, file), 'utf8')), file).toEqual([]);
});

test.each([
  ['spec.stages[0].pools[1].nodeSelector', ['spec', 'stages', 0, 'pools', 1, 'nodeSelector']],
  ['spec.template.metadata.labels["a.b/c"]', ['spec', 'template', 'metadata', 'labels', 'a.b/c']],
  ['', []],
])('the field %s is a path, and back', (field, path) => {
  expect(pathOf(field)).toEqual(path);
  expect(fieldOf(path)).toBe(field);
});
