// The recipes of docs/architecture.md stay true: what they ask for is there, and what they call one place is one.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { appReleaseKind } from './app-release.ts';
import type { StructuralSchema } from './crd.ts';
import { toCustomResourceDefinition } from './crd.ts';
import { CONDITIONS } from './reasons.ts';

const root = join(import.meta.dirname, '../..');
const sources = globSync('src/release/stages/*.ts', { cwd: root }).map((file) => ({
  file,
  text: readFileSync(join(root, file), 'utf8'),
}));
const tests = sources.filter(({ file }) => file.endsWith('.test.ts'));
const statements = sources
  .filter(({ file }) => !/(\.test|testing)\.ts$/.test(file))
  .flatMap(({ file, text }) => [...ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements]);
const functions = new Map(
  statements.flatMap((statement) =>
    ts.isFunctionDeclaration(statement) && statement.name ? [[statement.name.text, statement] as const] : [],
  ),
);

/** The names in the list of gates. */
function gateNames(): string[] {
  const list = statements
    .filter(ts.isVariableStatement)
    .flatMap(({ declarationList }) => [...declarationList.declarations])
    .find(({ name }) => ts.isIdentifier(name) && name.text === 'GATES')?.initializer;
  if (!list || !ts.isArrayLiteralExpression(list)) throw new Error('src/release/stages has no list GATES');
  return list.elements.flatMap((element) => (ts.isIdentifier(element) ? [element.text] : []));
}

/** The reasons of the waits that a function, or one that it calls, returns. */
function reasonsGivenBy(name: string, seen = new Set<string>()): string[] {
  const declaration = functions.get(name);
  if (!declaration || seen.has(name)) return [];
  seen.add(name);
  const found: string[] = [];
  function visit(node: ts.Node): void {
    if (ts.isObjectLiteralExpression(node)) found.push(...reasonOf(node));
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression))
      found.push(...reasonsGivenBy(node.expression.text, seen));
    ts.forEachChild(node, visit);
  }
  visit(declaration);
  return [...new Set(found)];
}

/** Of an object with a reason and a message. */
function reasonOf({ properties }: ts.ObjectLiteralExpression): string[] {
  const named = (wanted: string) =>
    properties.find(({ name }) => name !== undefined && ts.isIdentifier(name) && name.text === wanted);
  const reason = named('reason');
  if (!named('message') || !reason || !ts.isPropertyAssignment(reason)) return [];
  return ts.isStringLiteral(reason.initializer) ? [reason.initializer.text] : [];
}

const gates = gateNames();

it('finds the gates', () => {
  expect(gates.length).toBeGreaterThan(5);
});

it.each(gates)('the gate %s gives a reason', (gate) => {
  expect(reasonsGivenBy(gate)).not.toEqual([]);
});

it.each(gates)('each reason of the gate %s is expected by a row in a test beside the gates', (gate) => {
  const untested = reasonsGivenBy(gate).filter(
    (reason) => !tests.some(({ text }) => text.includes(`reason: '${reason}'`)),
  );
  expect(untested).toEqual([]);
});

// A ReleasePromotion waits for every gate, so its condition Complete has all of their reasons; reasons.test.ts asks for the docs.
it.each(gates)('each reason of the gate %s is in the list of reasons', (gate) => {
  const listed: readonly string[] = CONDITIONS.ReleasePromotion.Complete.False;
  expect(reasonsGivenBy(gate).filter((reason) => !listed.includes(reason))).toEqual([]);
});

// situations.test.ts asks for the situation behind each row.
it.each(gates)('docs/situations.md has a row for each reason that the gate %s gives to Ready', (gate) => {
  const listed: readonly string[] = CONDITIONS.AppRelease.Ready.False;
  const page = readFileSync(join(root, 'docs/situations.md'), 'utf8');
  const given = reasonsGivenBy(gate).filter((reason) => listed.includes(reason));
  expect(given.filter((reason) => !page.includes(`| ${reason} `))).toEqual([]);
});

/** The fields of the spec, by their paths. Pod templates are Kubernetes' own. */
function fieldsOf({ properties = {}, items }: StructuralSchema, path = 'spec'): [path: string, name: string][] {
  const own = Object.entries(properties).filter(([name]) => name !== 'template');
  return [
    ...own.flatMap(([name, field]): [string, string][] => [
      [`${path}.${name}`, name],
      ...fieldsOf(field, `${path}.${name}`),
    ]),
    ...(items ? fieldsOf(items, path) : []),
  ];
}

const { schema } = toCustomResourceDefinition(appReleaseKind).spec.versions[0] ?? {};
const fields = fieldsOf(schema?.openAPIV3Schema.properties?.['spec'] ?? {});
const GENERATED = ['docs/reference.md', 'docs/messages.md'];
const pages = textOf(globSync(['README.md', 'docs/*.md'], { cwd: root }).filter((file) => !GENERATED.includes(file)));
const rules = textOf(
  globSync('src/{controller,release,scheduling}/**/*.ts', { cwd: root }).filter(
    (file) => !/(\.test|testing)\.ts$/.test(file),
  ),
);

function textOf(files: readonly string[]): string {
  return files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
}

it('finds the fields of the spec', () => {
  expect(fields.map(([path]) => path)).toEqual(
    expect.arrayContaining(['spec.disruption.holdVMs', 'spec.stages.pools.replicas']),
  );
});

/** Fields of Kubernetes' own types, which are copied as they are. */
const COPIED = ['tolerationSeconds', 'appProtocol'];

it.each(fields.filter(([, name]) => !COPIED.includes(name)))(
  'a rule reads %s, and a page explains it',
  (_path, name) => {
    const word = new RegExp(`\\b${name}\\b`);
    expect(rules).toMatch(word);
    expect(pages).toMatch(word);
  },
);

/** What only the home of traffic may read, as patterns of source text. */
const TRAFFIC: readonly [what: string, pattern: RegExp][] = [
  ['the track that a Service selects', /selector\?*\.?\[LABEL\.track\]/],
  ['the last switch of a Service', /ANNOTATION\.(switchedAt|previousTrack)/],
  ['the revision that a Service notes', /annotations\?*\.?\[ANNOTATION\.revision\]/],
  ['the Service of a group', /\bgroup\.(service|adopted)\b|[{ ](service|adopted)\b[^{}]*\}: Group\b/],
  ['the write of a Service as the switch', /kind [!=]== 'ApplyService'/],
];

const others = globSync(['src/release/**/*.ts', 'src/controller/**/*.ts'], { cwd: root })
  .filter((file) => !file.startsWith('src/release/traffic/') && !/(\.test|testing)\.ts$/.test(file))
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));

it.each(TRAFFIC)('only src/release/traffic reads %s', (_what, pattern) => {
  expect(others.filter(({ text }) => pattern.test(text)).map(({ file }) => file)).toEqual([]);
  const home = globSync('src/release/traffic/*.ts', { cwd: root });
  expect(home.some((file) => pattern.test(readFileSync(join(root, file), 'utf8')))).toBe(true);
});
