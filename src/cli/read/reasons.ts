/** What each reason of a condition means, by the troubleshooting page. Pure. */
import type { ConditionInfo } from '../../api/reasons.ts';
import { CONDITIONS, reasonsOf, reasonsOfKind } from '../../api/reasons.ts';

export type Kind = keyof typeof CONDITIONS;

export interface ReasonUse {
  /** Ready=False */
  readonly condition: string;
  /** The meaning of status True. */
  readonly means: string;
}

export interface Explanation {
  readonly kind: Kind;
  readonly reason: string;
  readonly uses: readonly ReasonUse[];
  /** What to know of all reasons of the group; empty for many. */
  readonly group: string;
  /** Markdown. */
  readonly text: string;
}

const KINDS = Object.keys(CONDITIONS) as Kind[];

/** The explanations of a reason, one for each kind that has it. Upper and lower case do not matter. */
export function explain(page: string, asked: string): Explanation[] {
  return KINDS.flatMap((kind) => {
    const reason = reasonsOfKind(kind).find((one) => one.toLowerCase() === asked.toLowerCase());
    if (reason === undefined) return [];
    const { group, text } = entryOf(page, kind, reason);
    return [{ kind, reason, uses: usesOf(kind, reason), group, text }];
  });
}

/** Reasons that may be meant, the most similar first. */
export function similarReasons(asked: string): string[] {
  const text = asked.toLowerCase();
  const all = [...new Set(KINDS.flatMap(reasonsOfKind))];
  return all
    .map((reason) => ({ reason, distance: distanceOf(text, reason.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(2, text.length / 3))
    .toSorted((one, other) => one.distance - other.distance)
    .slice(0, 3)
    .map(({ reason }) => reason);
}

function usesOf(kind: Kind, reason: string): ReasonUse[] {
  return Object.entries<ConditionInfo>(CONDITIONS[kind]).flatMap(([type, info]) =>
    (['True', 'False', 'Unknown'] as const)
      .filter((status) => reasonsOf(info, status).includes(reason))
      .map((status) => ({ condition: `${type}=${status}`, means: info.means })),
  );
}

/** The page has `## Kind`, below it `### group`, and below that `#### Reason`. */
function entryOf(page: string, kind: Kind, reason: string): { group: string; text: string } {
  const section = sections(page, '## ').find(({ title }) => title === kind);
  for (const { body } of groupsOf(section?.body ?? '')) {
    const [intro = ''] = body.split(/^#### /m);
    const entry = sections(body, '#### ').find(({ title }) => title === reason);
    if (entry) return { group: intro.trim(), text: entry.body.trim() };
  }
  return { group: '', text: '' };
}

/** Entries of a kind without groups come before the first group. */
function groupsOf(section: string): { body: string }[] {
  const [first = ''] = section.split(/^### /m);
  const entries = first.slice(Math.max(0, first.search(/^#### /m)));
  return [{ body: entries.startsWith('#### ') ? entries : '' }, ...sections(section, '### ')];
}

/** The parts of a text below the headings of one level. */
function sections(text: string, mark: string): { title: string; body: string }[] {
  const [, ...parts] = `\n${text}`.split(`\n${mark}`);
  return parts.map((part) => {
    const [title = ''] = part.split('\n', 1);
    return { title, body: part.slice(title.length + 1) };
  });
}

/** How many characters to add, remove or change (Levenshtein). */
function distanceOf(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, character] of Array.from(one).entries()) {
    const next = [index + 1];
    for (let column = 1; column <= other.length; column += 1) {
      const change = (row[column - 1] ?? 0) + (other[column - 1] === character ? 0 : 1);
      next.push(Math.min(change, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
