// How the operator and the kubectl plugin are bundled.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';

const page = readFileSync(join(import.meta.dirname, '../docs/troubleshooting.md'), 'utf8');

/** Leaves out the generated models of all kinds of Kubernetes, which the client library imports and nothing here uses: 12 MB of memory. */
const withoutUnusedModels: Plugin = {
  name: 'without-unused-models',
  setup(bundler) {
    bundler.onResolve({ filter: /^\./ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === 'resolved' || !from.importer.includes('/@kubernetes/client-node/dist/')) return undefined;
      const resolved = await bundler.resolve(path, { ...from, pluginData: 'resolved' });
      return { ...resolved, sideEffects: !resolved.path.includes('/client-node/dist/gen/') };
    });
  },
};

export const bundleOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  // Without comments and indentation the text takes 4 MB less of memory. Names stay, and lines stay short, for stack traces.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  logLevel: 'warning',
  plugins: [withoutUnusedModels],
  // What kubectl apprelease explain tells.
  define: { TROUBLESHOOTING_PAGE: JSON.stringify(page) },
  // CommonJS packages call require for Node's own modules.
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
} satisfies BuildOptions;
