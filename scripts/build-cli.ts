// Bundles the kubectl plugin into one file (default: dist/kubectl-apprelease.mjs) that needs only Node.
import { chmod, rename, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { bundleOptions } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const outfile = process.argv[2] ?? join(root, 'dist/kubectl-apprelease.mjs');

// Renamed when it is complete, so that whoever runs the plugin meanwhile has the old one.
const unfinished = `${outfile}.${process.pid}`;
await build({ ...bundleOptions, entryPoints: [join(root, 'src/cli/main.ts')], outfile: unfinished, sourcemap: false });
await chmod(unfinished, 0o755);
await rename(unfinished, outfile);
const { size } = await stat(outfile);
console.log(`${relative(root, outfile)}: ${(size / 1024 / 1024).toFixed(1)} MiB`);
