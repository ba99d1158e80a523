// The links in docs/ work, and the files that the pages for contributors name exist.
import { existsSync, readdirSync } from 'node:fs';
import { access, glob, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const pages: string[] = [];
for await (const page of glob('docs/*.md', { cwd: root })) pages.push(page);

/** The anchor that GitHub generates for a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

/** Why a link is broken; undefined if it works. */
async function fault(page: string, link: string): Promise<string | undefined> {
  const [file = '', anchor] = link.split('#');
  const path = file === '' ? join(root, page) : join(root, dirname(page), file);
  if (
    !(await access(path).then(
      () => true,
      () => false,
    ))
  )
    return `${link}: no such file`;
  if (anchor === undefined) return undefined;
  const anchors = [...(await readFile(path, 'utf8')).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    anchorOf(heading),
  );
  return anchors.includes(anchor) ? undefined : `${link}: no such heading`;
}

it.each(pages)('every link of %s works', async (page) => {
  const text = await readFile(join(root, page), 'utf8');
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  const faults = await Promise.all(links.filter((link) => !/^\w+:/.test(link)).map((link) => fault(page, link)));
  expect(faults.filter((found) => found !== undefined)).toEqual([]);
});

it.each(['docs/architecture.md', 'docs/releasing.md', 'CONTRIBUTING.md'])(
  'every file that %s names exists',
  async (page) => {
    const text = await readFile(join(root, page), 'utf8');
    const named = [...text.matchAll(/`((?:src|test|scripts|docs|manifests|charts)\/[\w./-]+)`/g)].map(
      ([, file = '']) => file,
    );
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  },
);

it('docs/architecture.md lists the layers of src/', async () => {
  const text = await readFile(join(root, 'docs/architecture.md'), 'utf8');
  const [, layers = ''] = text.split(/^## Layers$/m);
  const inDocs = [...layers.matchAll(/^\|(.*?)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(?:src\/)?(\w+)\/?`/g)].map(([, name]) => name),
  );
  const folders = ['src', 'src/release'].flatMap((path) =>
    readdirSync(join(root, path), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : [])),
  );
  expect(inDocs.toSorted()).toEqual(folders.toSorted());
});
