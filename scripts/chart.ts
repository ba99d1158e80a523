// Generates files of the Helm chart.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import type { Node, Pair, Scalar } from 'yaml';
import { isMap, parseDocument } from 'yaml';
import { dashboard } from './dashboard.ts';

export const CHART = 'charts/apprelease-operator';
const folder = join(import.meta.dirname, '..', CHART);
const TABLE_BEGIN = '<!-- values: written by `make generate` from the comments in values.yaml -->';
const TABLE_END = '<!-- /values -->';

/** A CRD as a template: the values say whether it is installed, and whether it is kept. */
export function chartCrd(crd: string): string {
  const text = crd
    .replaceAll('{{', '{{ "{{" }}')
    .replace(/^metadata:\n/m, 'metadata:\n  {{- include "apprelease.crdMetadata" . | nindent 2 }}\n');
  return `{{- if .Values.crds.install }}\n${text}{{- end }}\n`;
}

export function dashboardJson(): Promise<string> {
  return pretty(JSON.stringify(dashboard()), 'dashboard.json');
}

/** The README with a new table of values. */
export async function chartReadme(): Promise<string> {
  const [readme, values] = await Promise.all(
    ['README.md', 'values.yaml'].map((name) => readFile(join(folder, name), 'utf8')),
  );
  const [before, rest] = cut(readme ?? '', TABLE_BEGIN);
  const [, after] = cut(rest, TABLE_END);
  const rows = valueRows(values ?? '').map(({ path, initial, help }) => `| \`${path}\` | ${initial} | ${help} |`);
  const table = ['| Value | Default | What it does |', '| --- | --- | --- |', ...rows].join('\n');
  return pretty(`${before}${TABLE_BEGIN}\n\n${table}\n\n${TABLE_END}${after}`, 'README.md');
}

export interface ValueRow {
  readonly path: string;
  /** As Markdown. */
  readonly initial: string;
  readonly help: string;
}

/**
 * Each value with a comment that begins with two dashes, including the further lines of the comment.
 * @throws Error for a value without such a comment
 */
export function valueRows(values: string): ValueRow[] {
  const { contents } = parseDocument(values);
  return rowsOf(contents, []);
}

function rowsOf(node: unknown, path: readonly string[]): ValueRow[] {
  if (!isMap<Scalar<string>, Node>(node)) return [];
  return node.items.flatMap((pair, index) => {
    const at = [...path, pair.key.value];
    const help = helpOf(commentOf(pair, index === 0 ? node.commentBefore : undefined));
    if (help !== undefined) return [{ path: at.join('.'), initial: markdownOf(pair.value), help }];
    if (isMap(pair.value) && pair.value.items.length > 0) return rowsOf(pair.value, at);
    throw new Error(`values.yaml: ${at.join('.')} has no comment that begins with "# -- "`);
  });
}

/** The parser may attach the comment of a map's first key to the map. */
function commentOf({ key }: Pair<Scalar<string>, Node>, ofMap: string | null | undefined): string {
  return [ofMap, key.commentBefore].filter(Boolean).join('\n');
}

function helpOf(comment: string): string | undefined {
  const lines = comment.split('\n').map((line) => line.trim());
  const first = lines.findLastIndex((line) => line.startsWith('-- '));
  if (first === -1) return undefined;
  return lines.slice(first).join(' ').slice('-- '.length).replaceAll('|', '\\|');
}

function markdownOf(value: Node | null): string {
  const initial: unknown = value?.toJSON();
  return initial === '' ? '' : `\`${JSON.stringify(initial)}\``;
}

function cut(text: string, marker: string): [string, string] {
  const at = text.indexOf(marker);
  if (at === -1) throw new Error(`${CHART}/README.md: ${marker} is missing`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}

async function pretty(text: string, name: string): Promise<string> {
  const path = join(folder, name);
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}
