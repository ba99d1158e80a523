// Pushes small but valid images (https://github.com/opencontainers/image-spec, https://github.com/opencontainers/distribution-spec).
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { registryFetch, type RegistryAccess } from './registry-client.ts';
import type { ImageOptions, PushedImage, Registry } from './types.ts';

const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
const configType = 'application/vnd.oci.image.config.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** Content with a digest. */
interface Blob {
  readonly mediaType: string;
  readonly body: Buffer;
}

/** Pushes an image; pushing other content to the same tag moves the tag. */
export async function pushImage(
  registry: RegistryAccess & Pick<Registry, 'host'>,
  repository: string,
  tag: string,
  options: ImageOptions = {},
): Promise<PushedImage> {
  const platforms = options.platforms ?? ['linux/amd64'];
  const content = options.content ?? `${repository}:${tag}`;
  const manifests = new Map<string, Blob>();
  for (const platform of platforms) {
    const manifest = await pushPlatform(registry, repository, platform, `${content} for ${platform}`, options);
    await putManifest(registry, repository, digestOf(manifest), manifest);
    manifests.set(platform, manifest);
  }
  const [only, ...others] = manifests.values();
  if (only === undefined) throw new Error('an image needs a platform');
  const named = others.length === 0 ? only : makeIndex(manifests);
  await putManifest(registry, repository, tag, named);
  const image = `${registry.host}/${repository}:${tag}`;
  const digest = digestOf(named);
  const digests = Object.fromEntries([...manifests].map(([platform, manifest]) => [platform, digestOf(manifest)]));
  return { digest, image, pinned: `${image}@${digest}`, manifests: digests };
}

/** Pushes the layer and the configuration of one platform; returns the manifest. */
async function pushPlatform(
  registry: RegistryAccess,
  repository: string,
  platform: string,
  content: string,
  { executable, env = [] }: ImageOptions,
): Promise<Blob> {
  const tar = tarOf('content', executable ?? Buffer.from(content));
  const layer = { mediaType: layerType, body: gzipSync(tar) };
  const config = makeJson(configType, {
    ...platformOf(platform),
    config: { Entrypoint: ['/content'], Env: env, Labels: { content } },
    rootfs: { type: 'layers', diff_ids: [digestOf({ body: tar })] },
  });
  await pushBlob(registry, repository, layer);
  await pushBlob(registry, repository, config);
  return makeJson(manifestType, {
    schemaVersion: 2,
    mediaType: manifestType,
    config: descriptor(config),
    layers: [descriptor(layer)],
  });
}

function makeIndex(manifests: ReadonlyMap<string, Blob>): Blob {
  const entries = [...manifests].map(([platform, manifest]) => ({
    ...descriptor(manifest),
    platform: platformOf(platform),
  }));
  return makeJson(indexType, { schemaVersion: 2, mediaType: indexType, manifests: entries });
}

async function pushBlob(registry: RegistryAccess, repository: string, blob: Blob): Promise<void> {
  const upload = await send(registry, 'POST', `/v2/${repository}/blobs/uploads/`);
  const location = new URL(upload ?? '', registry.url);
  location.searchParams.set('digest', digestOf(blob));
  await send(registry, 'PUT', location.href, { mediaType: 'application/octet-stream', body: blob.body });
}

async function putManifest(registry: RegistryAccess, repository: string, name: string, blob: Blob): Promise<void> {
  await send(registry, 'PUT', `/v2/${repository}/manifests/${name}`, blob);
}

/** Returns the Location header. */
async function send(registry: RegistryAccess, method: string, path: string, blob?: Blob): Promise<string | null> {
  const content = blob === undefined ? {} : { headers: { 'content-type': blob.mediaType }, body: blob.body };
  const response = await registryFetch(registry, path, { method, ...content });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return response.headers.get('location');
}

function makeJson(mediaType: string, value: object): Blob {
  return { mediaType, body: Buffer.from(JSON.stringify(value)) };
}

function descriptor(blob: Blob): object {
  return { mediaType: blob.mediaType, digest: digestOf(blob), size: blob.body.length };
}

function digestOf({ body }: Pick<Blob, 'body'>): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

function platformOf(platform: string): { os: string; architecture: string } {
  const [os = '', architecture = ''] = platform.split('/');
  return { os, architecture };
}

/** A tar archive with one executable file (POSIX.1-1988 ustar). */
function tarOf(name: string, body: Buffer): Buffer {
  const header = Buffer.alloc(512);
  const octal = (value: number, width: number) => value.toString(8).padStart(width, '0');
  header.write(name, 0);
  header.write(octal(0o755, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(body.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${octal(checksum, 6)}\0 `, 148);
  const padding = Buffer.alloc((512 - (body.length % 512)) % 512);
  return Buffer.concat([header, body, padding, Buffer.alloc(1024)]);
}
