// The source uses every reason of the list, and the troubleshooting page explains each of them.
import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CONDITIONS, reasonsOfKind } from './reasons.ts';

const root = join(import.meta.dirname, '../..');
const kinds = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[];

async function source(): Promise<string> {
  const texts = [];
  for await (const path of glob('src/**/*.ts', { cwd: root })) {
    if (!path.endsWith('.test.ts') && !path.endsWith('reasons.ts'))
      texts.push(await readFile(join(root, path), 'utf8'));
  }
  return texts.join('\n');
}

/** The part of the page below a heading of the second level. */
function section(page: string, heading: string): string {
  return page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
}

// The compiler rejects reasons that are not in the list.
it('lists no unused reason', async () => {
  const text = await source();
  const unused = kinds.flatMap(reasonsOfKind).filter((reason) => !text.includes(`'${reason}'`));
  expect(unused).toEqual([]);
});

it.each(kinds)('the troubleshooting page explains every reason of %s, and no other', async (kind) => {
  const page = await readFile(join(root, 'docs/troubleshooting.md'), 'utf8');
  const entries = section(page, kind)
    .split(/^#### /m)
    .slice(1);
  const explained = entries.map((entry) => /^(\w+)\n\n\S/.exec(entry)?.[1] ?? entry.slice(0, 40));
  expect(explained.toSorted()).toEqual(reasonsOfKind(kind).toSorted());
});
