// The contents of the operator's image, besides Node.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '../..');

interface Sbom {
  readonly bomFormat: string;
  readonly components: readonly { readonly purl: string }[];
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly dev?: boolean }>>;
}

/** A package URL: https://github.com/package-url/purl-spec */
function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

test('the bill of materials names the bundled packages, and no build tool', async () => {
  await promisify(execFile)('make', ['sbom'], { cwd: root });
  const sbom = JSON.parse(await readFile(join(root, 'dist/sbom.cdx.json'), 'utf8')) as Sbom;
  expect(sbom.bomFormat).toBe('CycloneDX');
  const listed = sbom.components.map(({ purl }) => purl);
  const direct = Object.entries(manifest.dependencies).map(([name, version]) => purlOf(name, version));
  expect(listed).toEqual(expect.arrayContaining(direct));
  // Including packages that a build tool also needs.
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  const expected = shipped.map(([path, { version }]) => purlOf(path.split('node_modules/').at(-1) ?? '', version));
  expect(new Set(listed)).toEqual(new Set(expected));
});
