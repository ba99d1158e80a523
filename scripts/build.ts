// Bundles the operator into one file (default: dist/operator.mjs) that needs only Node.
import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const outfile = process.argv[2] ?? join(root, 'dist/operator.mjs');

await build({
  entryPoints: [join(root, 'src/operator.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  minifySyntax: true,
  sourcemap: 'linked',
  logLevel: 'warning',
  // CommonJS packages call require for Node's own modules.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});
const { size } = await stat(outfile);
console.log(`${relative(root, outfile)}: ${(size / 1024 / 1024).toFixed(1)} MiB`);
