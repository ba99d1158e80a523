/** YAML documents with the place of each field. */
import type { Document, ParsedNode } from 'yaml';
import { isCollection, isMap, isPair, LineCounter, parseAllDocuments } from 'yaml';

export type Path = readonly (string | number)[];

export interface Place {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Place {
  /** Such as spec.stages[0].name; empty for the whole document. */
  readonly field: string;
  readonly message: string;
}

export interface ParsedDocument {
  readonly value: unknown;
  /** The place of the field, or of the closest field around it. */
  readonly placeOf: (path: Path) => Place;
}

export interface ParsedFile {
  readonly documents: readonly ParsedDocument[];
  /** Faults of the YAML itself. */
  readonly problems: readonly Problem[];
}

const MOST_ALIASES = 100;

export function parseYaml(text: string): ParsedFile {
  const lines = new LineCounter();
  const problems: Problem[] = [];
  const documents: ParsedDocument[] = [];
  for (const document of parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true })) {
    if (!('errors' in document)) continue;
    for (const { pos, message } of document.errors)
      problems.push({ ...placeAt(lines, pos[0]), field: '', message: message.split('\n')[0] ?? '' });
    if (document.errors.length > 0 || document.contents === null) continue;
    const placeOf = (path: Path) => placeAt(lines, offsetOf(document, path));
    try {
      // Aliases are counted, so that a small file cannot become a huge object.
      documents.push({ value: document.toJS({ maxAliasCount: MOST_ALIASES }), placeOf });
    } catch {
      const message = `more than ${MOST_ALIASES} aliases: write the values out`;
      problems.push({ ...placeOf([]), field: '', message });
    }
  }
  return { documents, problems };
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function offsetOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length -= 1) {
    const offset = keyOffset(document, path.slice(0, length));
    if (offset !== undefined) return offset;
  }
  return document.contents?.range[0] ?? 0;
}

/** Of a field the offset of its key, of an item that of its value. */
function keyOffset(document: Document.Parsed, path: Path): number | undefined {
  const last = path.at(-1);
  const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => isPair(item) && String(item.key) === String(last));
    return (pair?.key as ParsedNode | undefined)?.range[0];
  }
  if (!isCollection(parent)) return undefined;
  return (parent.get(last, true) as ParsedNode | undefined)?.range[0];
}

/** spec.stages[0].name; keys with other characters than a field's are quoted. */
export function fieldOf(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      if (!/^[A-Za-z0-9_-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join('');
}

/** The reverse of `fieldOf`, for the fields that messages of the API server and of the operator begin with. */
export function pathOf(field: string): Path {
  return [...field.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\[([^\]]+)\]|([^.[\]]+)/g)].map(
    ([, index, quoted, key, name]) => (index === undefined ? (quoted ?? key ?? name ?? '') : Number(index)),
  );
}
