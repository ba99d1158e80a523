/** The page that explains each reason: docs/troubleshooting.md, which the bundle contains. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Set by scripts/bundle.ts. */
declare const TROUBLESHOOTING_PAGE: string | undefined;

export function troubleshootingPage(): string {
  return typeof TROUBLESHOOTING_PAGE === 'string'
    ? TROUBLESHOOTING_PAGE
    : readFileSync(join(import.meta.dirname, '../../../docs/troubleshooting.md'), 'utf8');
}
