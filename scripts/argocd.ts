// Generates the settings of Argo CD, from scripts in Argo CD's own folder layout.
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const ARGOCD = 'manifests/argocd';
const folder = join(import.meta.dirname, '..', ARGOCD, 'resource_customizations');

/** The keys of argocd-cm for each kind with a folder: the health check, and the actions if there are some. */
export async function argocdSettings(): Promise<object> {
  const data: Record<string, string> = {};
  for (const path of filesOf('*/*/health.lua')) {
    const [group, kind] = path.split('/');
    data[`resource.customizations.health.${group ?? ''}_${kind ?? ''}`] = await read(path);
  }
  for (const path of filesOf('*/*/actions/discovery.lua')) {
    const [group, kind] = path.split('/');
    data[`resource.customizations.actions.${group ?? ''}_${kind ?? ''}`] = await actions(
      `${group ?? ''}/${kind ?? ''}`,
    );
  }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'argocd-cm', namespace: 'argocd' }, data };
}

/** The value of the setting: Argo CD parses it as YAML. */
async function actions(kind: string): Promise<string> {
  const names = filesOf(`${kind}/actions/*/action.lua`).map((path) => path.split('/').at(-2) ?? '');
  const definitions = await Promise.all(
    names.map(async (name) => [
      `  - name: ${name}`,
      '    action.lua: |',
      indent(await read(`${kind}/actions/${name}/action.lua`), 6),
    ]),
  );
  return [
    'discovery.lua: |',
    indent(await read(`${kind}/actions/discovery.lua`), 2),
    'definitions:',
    ...definitions.flat(),
    '',
  ].join('\n');
}

function indent(text: string, width: number): string {
  return text.trimEnd().replaceAll(/^(?=.)/gm, ' '.repeat(width));
}

function filesOf(pattern: string): string[] {
  return globSync(pattern, { cwd: folder }).sort();
}

function read(path: string): Promise<string> {
  return readFile(join(folder, path), 'utf8');
}
