// `make sbom`: writes the operator's bill of materials to dist/sbom.cdx.json (CycloneDX). npm omits packages that development
// dependencies also need, so it runs in a folder without development dependencies.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

interface Manifest {
  devDependencies?: Record<string, string>;
}

interface Lock {
  packages: Record<string, Manifest & { dev?: boolean }>;
}

const root = join(import.meta.dirname, '..');
const FORMAT = ['--sbom-format=cyclonedx', '--package-lock-only'];

async function readJson<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(join(root, name), 'utf8')) as T;
}

function withoutDevelopment<T extends Manifest>({ devDependencies: _tools, ...rest }: T): Omit<T, 'devDependencies'> {
  return rest;
}

const folder = await mkdtemp(join(tmpdir(), 'sbom-'));
try {
  const lock = await readJson<Lock>('package-lock.json');
  const shipped = Object.entries(lock.packages).filter(([, { dev }]) => dev !== true);
  const packages = Object.fromEntries(shipped.map(([path, own]) => [path, withoutDevelopment(own)]));
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify(withoutDevelopment(await readJson<Manifest>('package.json'))),
  );
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify({ ...lock, packages }));
  const { stdout } = await promisify(execFile)('npm', ['sbom', ...FORMAT], { cwd: folder, maxBuffer: 1 << 26 });
  await writeFile(join(root, 'dist/sbom.cdx.json'), stdout);
} finally {
  await rm(folder, { recursive: true });
}
console.log('dist/sbom.cdx.json');
