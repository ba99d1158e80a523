// Bundles the operator into one file (default: dist/operator.mjs) that needs only Node.
import { stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { bundleOptions } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const outfile = process.argv[2] ?? join(root, 'dist/operator.mjs');

await build({ ...bundleOptions, entryPoints: [join(root, 'src/operator.ts')], outfile, sourcemap: 'linked' });
const { size } = await stat(outfile);
console.log(`${relative(root, outfile)}: ${(size / 1024 / 1024).toFixed(1)} MiB`);
