// What is generated of docs/messages.md: every text of the source that a user may read, so that one page shows them all.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const MESSAGES = 'docs/messages.md';

const root = join(import.meta.dirname, '..');

const INTRODUCTION = `# Messages

Every message of the operator: in conditions, events, statuses and its log, and what the API server answers to an object that it refuses. \`<name>\`
stands for a value; \`…\` begins a part of another message. What to do about a message is told by the reason beside it:
[troubleshooting.md](troubleshooting.md).`;

const AREAS: readonly [title: string, folder: string][] = [
  ['What the API server refuses', 'src/api'],
  ['AppReleases, rollbacks and promotions', 'src/release'],
  ['Writes', 'src/controller'],
  ['VMPools', 'src/vmpool'],
  ['VMs and their room', 'src/scheduling'],
  ['Registries', 'src/registry'],
  ['The API server', 'src/kube'],
];

/** What the values of these properties say is in docs/reference.md, or is no text. */
const OTHER_PROPERTIES = new Set(['description', 'means', 'rule']);
/** Functions whose texts are descriptions, log lines of the process, or what is looked for in another text. */
const OTHER_FUNCTIONS = new Set(['log', 'metadataOf', 'includes', 'startsWith', 'groupBy']);

export interface FileMessages {
  file: string;
  messages: string[];
}

export function messagesPage(): string {
  const sections = AREAS.flatMap(([title, folder]) => [
    `## ${title}`,
    ...messagesOfFolder(folder).map(({ file, messages }) =>
      [`### ${file}`, '', '```text', ...messages, '```'].join('\n'),
    ),
  ]);
  return `${[INTRODUCTION, ...sections].join('\n\n')}\n`;
}

export function allMessages(): FileMessages[] {
  return AREAS.flatMap(([, folder]) => messagesOfFolder(folder));
}

function messagesOfFolder(folder: string): FileMessages[] {
  return globSync(`${folder}/**/*.ts`, { cwd: root })
    .filter((file) => !/(\.test|testing)\.ts$/.test(file))
    .toSorted()
    .map((file) => ({ file, messages: messagesOf(file, readFileSync(join(root, file), 'utf8')) }))
    .filter(({ messages }) => messages.length > 0);
}

/** The messages of one file, each once, in their order. */
function messagesOf(file: string, text: string): string[] {
  const found = new Set<string>();
  function visit(node: ts.Node): void {
    if (isOther(node)) return;
    const literal = textOf(node);
    if (literal !== undefined && isMessage(file, literal)) found.add(literal.replace(/^(?=[ ,;:)])/, '…'));
    ts.forEachChild(node, visit);
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest));
  return [...found];
}

/** Nothing below such a node is a message: a programmer's error, a type, an import, a description. */
function isOther(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node) || ts.isTypeNode(node)) return true;
  if (ts.isNewExpression(node)) return nameOf(node.expression).endsWith('Error');
  if (ts.isCallExpression(node)) return OTHER_FUNCTIONS.has(nameOf(node.expression));
  return ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && OTHER_PROPERTIES.has(node.name.text);
}

/** Two words, of which one is no value. In src/api the texts that are sentences are descriptions. */
function isMessage(file: string, text: string): boolean {
  if (file.startsWith('src/api/') && /^[A-Z<]|\.$/.test(text)) return false;
  const words = text.trim().split(/\s+/);
  const isHeader = /^(Basic|Bearer) /.test(text);
  return words.length > 1 && words.some((word) => /^[("]?[A-Za-z]{2}/.test(word)) && !isHeader;
}

/** The text of a literal, with the name of each value in it. */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return (
    node.head.text + node.templateSpans.map(({ expression, literal }) => valueOf(expression) + literal.text).join('')
  );
}

function valueOf(expression: ts.Expression): string {
  if (ts.isStringLiteralLike(expression) || ts.isNumericLiteral(expression)) return expression.text;
  const name = nameOf(expression);
  return name === '' ? '' : `<${name}>`;
}

/** What a value is called: the last name of its expression, or the texts that it is one of. */
function nameOf(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isStringLiteralLike(node)) return node.text.trim();
  if (ts.isCallExpression(node)) return nameOfCall(node);
  if (ts.isBinaryExpression(node)) return nameOf(node.left) || nameOf(node.right);
  if (ts.isTemplateExpression(node)) return nameOf(node.templateSpans.at(-1)?.expression ?? node);
  if (ts.isArrayLiteralExpression(node)) return node.elements.map(nameOf).find((name) => name !== '') ?? '';
  if (ts.isConditionalExpression(node))
    return [...new Set([node.whenTrue, node.whenFalse].map(nameOf))].filter((name) => name !== '').join('|');
  if (ts.isNewExpression(node)) return nameOf(node.arguments?.[0] ?? node.expression);
  const { expression } = node as { expression?: ts.Expression };
  return expression ? nameOf(expression) : '';
}

/** `names.join(', ')` is called names, `Math.ceil(bytes)` and `quoted(bytes)` bytes, `limitOf(view, pool)` limitOf. */
function nameOfCall({ expression, arguments: given }: ts.CallExpression): string {
  const [first] = given;
  if (!ts.isPropertyAccessExpression(expression))
    return given.length === 1 && first ? nameOf(first) : nameOf(expression);
  const receiver = nameOf(expression.expression);
  return /^[A-Z][a-zA-Z]+$/.test(receiver) && first ? nameOf(first) : receiver;
}
