/** The colours of a unified diff. Pure. */
import { printable } from '../../lib/printable.ts';
import type { Paint, Tone } from './paint.ts';

const TONES: readonly (readonly [begin: string, tone: Tone])[] = [
  ['---', 'strong'],
  ['+++', 'strong'],
  ['@@', 'dim'],
  ['-', 'bad'],
  ['+', 'good'],
];

export function paintDiff(patch: string, paint: Paint): string {
  let isHead = true;
  return patch
    .split('\n')
    .map(printable)
    .map((line) => {
      isHead &&= !line.startsWith('@@');
      const tone = TONES.find(([begin, of]) => line.startsWith(begin) && (isHead || of !== 'strong'))?.[1];
      return tone === undefined ? line : paint(tone, line);
    })
    .join('\n');
}
