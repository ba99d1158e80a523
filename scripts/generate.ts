// Writes the generated files: crds/, schemas/ and docs/reference.md from the schemas in src/api, the chart's CRDs, dashboard and table
// of values, and the settings of Argo CD. With --check it only compares, and fails if a file differs.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stringify, type ToStringOptions } from 'yaml';
import { toCustomResourceDefinition } from '../src/api/crd.ts';
import { KINDS } from '../src/api/kinds.ts';
import { GROUP } from '../src/api/meta.ts';
import { ARGOCD, argocdSettings } from './argocd.ts';
import { CLI_PAGE, cliPage } from './cli-docs.ts';
import { CHART, chartCrd, chartReadme, dashboardJson } from './chart.ts';
import { MESSAGES, messagesPage } from './messages.ts';
import { REFERENCE, referencePage } from './reference.ts';
import { schemaFile, SCHEMAS, schemaText } from './schemas.ts';

const root = join(import.meta.dirname, '..');
const CRDS = 'crds';
const CHART_CRDS = `${CHART}/templates/crds`;

const wanted = await generatedFiles();
const existing = await existingFiles();
if (process.argv.includes('--check')) check();
else await write();

/** Content by path. */
async function generatedFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const names = KINDS.map(({ plural }) => `${GROUP}_${plural}.yaml`);
  for (const [index, kind] of KINDS.entries()) {
    const name = names[index] ?? '';
    const crd = toYaml(toCustomResourceDefinition(kind));
    files.set(`${CRDS}/${name}`, crd);
    files.set(`${CHART_CRDS}/${name}`, chartCrd(crd));
    files.set(schemaFile(kind), await schemaText(kind));
  }
  const kustomization = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: names };
  files.set(`${CRDS}/kustomization.yaml`, toYaml(kustomization));
  const scripts = `${ARGOCD}/resource_customizations`;
  files.set(`${ARGOCD}/argocd-cm.yaml`, toYaml(await argocdSettings(), scripts, { blockQuote: 'literal' }));
  files.set(`${CHART}/files/dashboard.json`, await dashboardJson());
  files.set(`${CHART}/README.md`, await chartReadme());
  files.set(REFERENCE, await referencePage());
  files.set(MESSAGES, messagesPage());
  files.set(CLI_PAGE, await cliPage());
  return files;
}

function toYaml(value: unknown, source = 'src/api', options: ToStringOptions = {}): string {
  const header = `# Generated from ${source} by \`make generate\`: edit ${source} instead.\n`;
  return header + stringify(value, { lineWidth: 120, indentSeq: false, aliasDuplicateObjects: false, ...options });
}

/** The existing files among the wanted ones, and all other files in folders that are entirely generated. */
async function existingFiles(): Promise<Map<string, string>> {
  const others = await Promise.all([CRDS, CHART_CRDS, SCHEMAS].map(filesOf));
  const paths = [...new Set([...wanted.keys(), ...others.flat()])];
  const contents = await Promise.all(
    paths.map(async (path) => [path, await readFile(join(root, path), 'utf8').catch(() => undefined)] as const),
  );
  return new Map(contents.flatMap(([path, content]) => (content === undefined ? [] : [[path, content] as const])));
}

async function filesOf(folder: string): Promise<string[]> {
  const names = await readdir(join(root, folder)).catch(() => []);
  return names.filter((name) => /\.(yaml|json)$/.test(name)).map((name) => `${folder}/${name}`);
}

function check(): void {
  const different = [...new Set([...wanted.keys(), ...existing.keys()])].filter(
    (path) => wanted.get(path) !== existing.get(path),
  );
  for (const path of different) console.error(`${path} is not up to date: ${firstDifference(path)}`);
  if (different.length === 0) return;
  console.error('Run `make generate` and commit the result.');
  process.exitCode = 1;
}

function firstDifference(path: string): string {
  const want = wanted.get(path);
  const have = existing.get(path);
  if (want === undefined) return 'no kind generates this file';
  if (have === undefined) return 'the file is missing';
  const haveLines = have.split('\n');
  const wantLines = want.split('\n');
  const line = wantLines.findIndex((text, index) => text !== haveLines[index]);
  const at = line === -1 ? wantLines.length : line;
  return `line ${at + 1} should be ${JSON.stringify(wantLines[at])}, is ${JSON.stringify(haveLines[at])}`;
}

async function write(): Promise<void> {
  for (const [path, content] of wanted) {
    if (existing.get(path) === content) continue;
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    console.log(`${path} written`);
  }
  for (const path of existing.keys()) {
    if (wanted.has(path)) continue;
    await rm(join(root, path));
    console.log(`${path} removed`);
  }
}
