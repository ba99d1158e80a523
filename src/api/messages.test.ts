// The messages of docs/messages.md are plain English, as far as a program can tell.
import { expect, it } from 'vitest';
import { allMessages } from '../../scripts/messages.ts';

const messages = allMessages().flatMap((group) => group.messages.map((message) => [group.file, message] as const));

/** What a message must not have, and why. */
const FAULTS: readonly [pattern: RegExp, why: string][] = [
  [/^ | $| {2}/, 'has a space too many'],
  [/\n|\t/, 'has more than one line'],
  [/ [,;:!?]/, 'has a space before a mark'],
  [/^[a-z].*[^.]\.$/, 'is no sentence, and ends with a full stop'],
  [/^[a-z][^:]*[a-z]\. [A-Z]/, 'begins with a part of a sentence, and goes on with whole ones'],
  [/\.{2}|…$|!|\?$/, 'ends with more than it says'],
  [/\b(whosever|whosoever|heed|heeds|lest|whence|thence|thereof|hitherto|albeit|ere)\b/i, 'has a word that few know'],
  [/\btold of\b|\btells? of\b|\bsince shortly\b|\bfor want of\b/i, 'has a turn that few know'],
  [/\b(please|sorry|oops|successfully|simply|obviously)\b/i, 'has a word that says nothing'],
  [/\b(I|we|our|ours|us|my|you|your)\b/, 'speaks of persons'],
  [/n't\b|n’t\b/, 'has a contraction'],
  [/\b(e\.g|i\.e|etc|vs|cf)\b/, 'has an abbreviation'],
  [/<>|\bundefined\b|\[object/, 'has a value without a name'],
];

it('finds the messages of every part', () => {
  expect(messages.length).toBeGreaterThan(250);
  expect(messages).toContainEqual(['src/release/stages/gates.ts', 'stage <stage> begins its soak']);
});

it.each(FAULTS)('no message matches %s: it %s', (pattern) => {
  expect(messages.filter(([, message]) => pattern.test(message.replace(/^… ?/, '')))).toEqual([]);
});
