// Writes crds/ from the schemas in src/api; with --check only compares, and fails where they differ.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { toCustomResourceDefinition } from '../src/api/crd.ts';
import { KINDS } from '../src/api/kinds.ts';
import { GROUP } from '../src/api/meta.ts';

const HEADER = '# Generated from src/api by `make generate`: change it there.\n';
const folder = join(import.meta.dirname, '../crds');

const wanted = generatedFiles();
const existing = await existingFiles();
if (process.argv.includes('--check')) check();
else await write();

/** Content by file name. */
function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const kind of KINDS) files.set(`${GROUP}_${kind.plural}.yaml`, toYaml(toCustomResourceDefinition(kind)));
  files.set(
    'kustomization.yaml',
    toYaml({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: [...files.keys()] }),
  );
  return files;
}

function toYaml(value: unknown): string {
  return HEADER + stringify(value, { lineWidth: 120, indentSeq: false, aliasDuplicateObjects: false });
}

async function existingFiles(): Promise<Map<string, string>> {
  await mkdir(folder, { recursive: true });
  const names = (await readdir(folder)).filter((name) => name.endsWith('.yaml'));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

function check(): void {
  const different = [...new Set([...wanted.keys(), ...existing.keys()])].filter(
    (name) => wanted.get(name) !== existing.get(name),
  );
  for (const name of different) console.error(`crds/${name} is not what src/api says: ${firstDifference(name)}`);
  if (different.length === 0) return;
  console.error('Run `make generate` and commit crds/.');
  process.exitCode = 1;
}

function firstDifference(name: string): string {
  const want = wanted.get(name);
  const have = existing.get(name);
  if (want === undefined) return 'no kind makes this file';
  if (have === undefined) return 'the file is missing';
  const haveLines = have.split('\n');
  const wantLines = want.split('\n');
  const line = wantLines.findIndex((text, index) => text !== haveLines[index]);
  const at = line === -1 ? wantLines.length : line;
  return `line ${at + 1} should be ${JSON.stringify(wantLines[at])}, is ${JSON.stringify(haveLines[at])}`;
}

async function write(): Promise<void> {
  for (const [name, content] of wanted) {
    if (existing.get(name) === content) continue;
    await writeFile(join(folder, name), content);
    console.log(`crds/${name} written`);
  }
  for (const name of existing.keys()) {
    if (wanted.has(name)) continue;
    await rm(join(folder, name));
    console.log(`crds/${name} removed`);
  }
}
