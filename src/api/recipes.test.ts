// The recipes of docs/architecture.md stay true: what they ask for is there, and what they call one place is one.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
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
