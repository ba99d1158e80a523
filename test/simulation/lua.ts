/** Runs the health checks for Argo CD unchanged. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LuaFactory } from 'wasmoon';

const folder = join(import.meta.dirname, '../../manifests/argocd/resource_customizations/apprelease.dev');

/** Healthy, Progressing, Suspended or Degraded. */
export async function argoHealth(object: { kind: string }): Promise<string> {
  const script = await readFile(join(folder, object.kind, 'health.lua'), 'utf8');
  const engine = await new LuaFactory().createEngine();
  try {
    const answer = (await engine.doString(`local obj = ${literal(object)}\n${script}`)) as { status: string };
    return answer.status;
  } finally {
    engine.global.close();
  }
}

/** Converts JSON to Lua: a list is a table from 1, and null is absent. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return `{${value.map(literal).join(', ')}}`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, field]) => `[${JSON.stringify(key)}] = ${literal(field)}`);
  return `{${fields.join(', ')}}`;
}
