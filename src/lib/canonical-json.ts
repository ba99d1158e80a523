/** Canonical JSON and a short hash. */
import { createHash } from 'node:crypto';

/** JSON with sorted keys: equal values give equal text, whatever the order of their keys. */
export function canonicalJson(value: unknown): string {
  return sorted(value) ?? 'null';
}

/** Runs in every pass. JSON.stringify with a replacer takes several times as long. */
function sorted(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => sorted(item) ?? 'null').join(',')}]`;
  const parts: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const text = sorted((value as Record<string, unknown>)[key]);
    if (text !== undefined) parts.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${parts.join(',')}}`;
}

/** Eight characters of a value's SHA-256. Use it for names, never to decide whether two values are equal. */
export function shortHash(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 8);
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
