import { createHash } from 'node:crypto';
import * as z from 'zod';
import { parseBoundedJson } from './bounded-json.ts';
import { isDigest } from './reference.ts';
import type { PlatformManifest } from './types.ts';

const INDEX_TYPES: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const IMAGE_TYPES: readonly string[] = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** The Accept header. It prefers an index, so that one digest serves nodes of every architecture. */
export const ACCEPT = [...INDEX_TYPES, ...IMAGE_TYPES].join(', ');

// The registry controls the length of an index and its platform names. With these limits, the record of 64 images stays
// below the API server's limit for one object.
const MAX_DESCRIPTORS = 1000;
const MAX_PLATFORMS = 100;
const MAX_PLATFORM_CHARACTERS = 2048;
const MANIFEST_JSON = { maxDepth: 32, maxValues: 100_000 };

export type ManifestKind = 'index' | 'image' | 'other';

/** A Content-Type header without its parameters. */
export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

export function manifestKind(mediaType: string): ManifestKind {
  if (INDEX_TYPES.includes(mediaType)) return 'index';
  return IMAGE_TYPES.includes(mediaType) ? 'image' : 'other';
}

/** The digest of a body, with the algorithm of the digest to compare with (default sha256). */
export function computeDigest(body: Buffer, expected: string | undefined): string {
  const algorithm = expected !== undefined && isDigest(expected) ? expected.slice(0, expected.indexOf(':')) : 'sha256';
  return `${algorithm}:${createHash(algorithm).update(body).digest('hex')}`;
}

export interface ParsedManifest {
  readonly mediaType: string;
  /** Empty for a single manifest. */
  readonly platforms: readonly PlatformManifest[];
}

const manifestSchema = z.object({
  mediaType: z.string().optional(),
  config: z.unknown().optional(),
  layers: z.unknown().optional(),
  manifests: z.array(z.unknown()).optional(),
});

/** A platform name of the OCI image specification, as in Go: lower case except for versions. No kubelet has another name. */
const platformPart = z.string().regex(/^[a-z0-9._-]{1,64}$/);
const versionPart = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/);
const optional = (part: z.ZodType<string>) => z.union([part, z.literal('')]).nullish();

const descriptorSchema = z.object({
  digest: z.string().refine(isDigest),
  platform: z
    .object({
      os: platformPart,
      architecture: platformPart,
      variant: optional(platformPart),
      'os.version': optional(versionPart),
    })
    .nullish()
    .catch(undefined),
});

/** Reads an index or a manifest (OCI or Docker schema 2); undefined if it is neither. */
export function parseManifest(body: Buffer, contentType: string | undefined): ParsedManifest | undefined {
  const parsed = manifestSchema.safeParse(parseBoundedJson(body, MANIFEST_JSON));
  if (!parsed.success) return undefined;
  const { manifests, config, layers, mediaType: declared } = parsed.data;
  const isImage = config !== undefined && layers !== undefined;
  // A document that is valid as both is dangerous: GHSA-mc8v-mgrf-8f4m.
  if ((manifests !== undefined) === isImage || (manifests !== undefined && layers !== undefined)) return undefined;
  const received = mediaTypeOf(contentType);
  const mediaType = declared ?? (manifestKind(received) === 'other' ? guessMediaType(isImage) : received);
  if (manifestKind(mediaType) !== (isImage ? 'image' : 'index')) return undefined;
  return { mediaType, platforms: readPlatforms(manifests ?? []) };
}

/** An entry without a digest cannot run and is skipped. */
function readPlatforms(manifests: readonly unknown[]): PlatformManifest[] {
  let room = MAX_PLATFORM_CHARACTERS;
  return manifests
    .slice(0, MAX_DESCRIPTORS)
    .flatMap((manifest) => descriptorSchema.safeParse(manifest).data ?? [])
    .filter(isRunnable)
    .slice(0, MAX_PLATFORMS)
    .map(({ digest, platform }) => {
      const name = platform ? platformName(platform) : undefined;
      if (name === undefined || name.length > room) return { digest };
      room -= name.length;
      return { platform: name, digest };
    });
}

type Descriptor = z.infer<typeof descriptorSchema>;

/** BuildKit lists attestations beside the images, as manifests for the platform unknown/unknown. */
function isRunnable({ platform }: Descriptor): boolean {
  return platform?.os !== 'unknown';
}

function platformName(platform: NonNullable<Descriptor['platform']>): string {
  const { os, architecture, variant, 'os.version': osVersion } = platform;
  // The notation of containerd, because an index has one manifest per version of Windows.
  const system = osVersion ? `${os}(${osVersion})` : os;
  return [system, architecture, ...(variant ? [variant] : [])].join('/');
}

/**
 * The digests for the record. A manifest without a platform, or with the platform of an earlier manifest, gets a name of
 * its own, because a kubelet may report its digest.
 */
export function digestsByPlatform(manifests: readonly PlatformManifest[]): Record<string, string> {
  const named = new Map<string, string>();
  for (const [index, { platform, digest }] of manifests.entries()) {
    named.set(platform === undefined || named.has(platform) ? `manifest-${index}` : platform, digest);
  }
  return Object.fromEntries(named);
}

function guessMediaType(isImage: boolean): string {
  return (isImage ? IMAGE_TYPES : INDEX_TYPES)[0] ?? '';
}
