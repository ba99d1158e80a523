// The operator's image on a base of Debian packages, if the base image of the Dockerfile cannot be pulled.
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImage } from '../../scripts/image.ts';
import { startProgress } from '../cluster/progress.ts';
import type { Engine } from './engine.ts';
import { ensureNodeBase } from './node-image.ts';

const NODE_BASE = 'localhost/node-base:24';

/** Only Node, its libraries and the certificates of Debian's base, without a shell. */
const CONTAINERFILE = `
ARG BASE
FROM \${BASE} AS debian
COPY node /nodejs/bin/node
RUN mkdir /base && cp --parents $(ldd /nodejs/bin/node | grep -o "/[^ ]*") /nodejs/bin/node \\
      /etc/ssl/certs/ca-certificates.crt /etc/nsswitch.conf /base \\
    && echo 'nonroot:x:65532:65532:nonroot:/:/sbin/nologin' >/base/etc/passwd && echo 'nonroot:x:65532:' >/base/etc/group
FROM scratch
COPY --from=debian /base /
`;

/** Builds the image from dist/operator.mjs; returns its size in bytes. */
export async function buildOperatorImage(engine: Engine, tag: string): Promise<number> {
  if (engine.pulls) return buildImage(engine.run, { tag });
  const base = await ensureNodeBase(engine);
  const progress = startProgress("Building the operator's image");
  const context = await mkdtemp(join(tmpdir(), 'node-base-'));
  try {
    const file = join(context, 'Containerfile');
    await writeFile(file, CONTAINERFILE);
    await cp(process.execPath, join(context, 'node'));
    await engine.run([
      'build',
      '--isolation=chroot',
      '--pull=never',
      `--build-arg=BASE=${base}`,
      `--tag=${NODE_BASE}`,
      context,
    ]);
    const size = await buildImage(engine.run, { base: NODE_BASE, tag, flags: ['--pull=never', '--isolation=chroot'] });
    progress.end(`done, ${(size / 1e6).toFixed(0)} MB`);
    return size;
  } catch (error) {
    progress.end('failed');
    throw error;
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
