/** The explanation of a reason as text for a terminal. Pure. */
import type { Explanation } from '../read/reasons.ts';
import type { Paint } from './paint.ts';

export function printExplanation(
  { kind, reason, uses, group, text }: Explanation,
  width: number,
  paint: Paint,
): string {
  const about = uses.flatMap(({ condition, means }) => wrapped(`${condition}, where True means: ${means}`, width - 2));
  return [
    `${paint('strong', reason)} ${paint('dim', `(${kind})`)}`,
    ...about.map((line) => paint('dim', `  ${line}`)),
    '',
    plain(text, width),
    ...(group === '' ? [] : ['', plain(group, width)]),
    '',
  ].join('\n');
}

/** Markdown without its marks: paragraphs as wide as the terminal, code and tables as they are. */
function plain(markdown: string, width: number): string {
  const blocks = markdown.split(/(^```[\s\S]*?^```$)/m).map((block) => {
    if (block.startsWith('```'))
      return block
        .replace(/^```.*\n?/gm, '')
        .replace(/^(?=.)/gm, '    ')
        .trimEnd();
    const paragraphs = block.trim().split(/\n{2,}/);
    return paragraphs.map((paragraph) => paragraphText(paragraph, width)).join('\n\n');
  });
  return blocks.filter((block) => block !== '').join('\n\n');
}

function paragraphText(paragraph: string, width: number): string {
  const text = withoutLinks(paragraph);
  if (/^(\||- )/.test(text)) return text;
  return wrapped(text.replaceAll('\n', ' '), width).join('\n');
}

/** [a text](page.md#part): a text (docs/page.md) */
function withoutLinks(text: string): string {
  return text.replace(/\[([^\]]+)\]\(([^)#]*)(?:#[^)]*)?\)/g, (_link, shown: string, page: string) => {
    if (page === '') return shown;
    return shown === page ? `docs/${page}` : `${shown} (docs/${page})`;
  });
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
