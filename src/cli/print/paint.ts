/** Colours on a terminal, and plain text elsewhere. */
import { styleText } from 'node:util';

export type Tone = 'good' | 'bad' | 'waits' | 'dim' | 'strong';

export type Paint = (tone: Tone, text: string) => string;

const STYLES = { good: 'green', bad: 'red', waits: 'yellow', dim: 'gray', strong: 'bold' } as const;

export function paintFor(isColoured: boolean): Paint {
  return (tone, text) => (isColoured ? styleText(STYLES[tone], text, { validateStream: false }) : text);
}
