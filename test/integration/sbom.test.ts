// What the operator's image is made of, besides Node.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '../..');

interface Sbom {
  readonly bomFormat: string;
  readonly components: readonly { readonly name: string; readonly version: string; readonly purl: string }[];
}

test('the bill of materials names what is bundled, and no tool of the build', async () => {
  await promisify(execFile)('make', ['sbom'], { cwd: root });
  const sbom = JSON.parse(await readFile(join(root, 'dist/sbom.cdx.json'), 'utf8')) as Sbom;
  expect(sbom.bomFormat).toBe('CycloneDX');
  const listed = new Map(sbom.components.map(({ purl, version }) => [purl, version]));
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    expect(listed.get(`pkg:npm/${name.replace('@', '%40')}@${version}`)).toBe(version);
  }
  const tools = Object.keys(manifest.devDependencies);
  expect(
    sbom.components.map(({ purl }) => purl).filter((purl) => tools.some((tool) => purl.startsWith(`pkg:npm/${tool}@`))),
  ).toEqual([]);
});
