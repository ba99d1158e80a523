import { createHash } from 'node:crypto';
import { z } from 'zod';
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

/** The Accept header: an index before a manifest, so that one digest serves nodes of every architecture. */
export const ACCEPT = [...INDEX_TYPES, ...IMAGE_TYPES].join(', ');

// A registry decides how long an index is; what is recorded for a revision stays bounded.
const MAX_PLATFORMS = 100;

export type ManifestKind = 'index' | 'image' | 'other';

/** A Content-Type header without its parameters. */
export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

export function manifestKind(mediaType: string): ManifestKind {
  if (INDEX_TYPES.includes(mediaType)) return 'index';
  return IMAGE_TYPES.includes(mediaType) ? 'image' : 'other';
}

/** The digest of a body, by the algorithm of the digest it is compared with (sha256 where there is none). */
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
  manifests: z
    .array(
      z.object({
        digest: z.string().refine(isDigest),
        platform: z
          .object({
            os: z.string(),
            architecture: z.string(),
            variant: z.string().optional(),
            'os.version': z.string().optional(),
          })
          .nullish()
          .catch(undefined),
      }),
    )
    .optional(),
});

/** Reads an index or a manifest (OCI or Docker schema 2). Undefined: it is neither. */
export function parseManifest(body: Buffer, contentType: string | undefined): ParsedManifest | undefined {
  const parsed = manifestSchema.safeParse(parseJson(body));
  if (!parsed.success) return undefined;
  const { manifests, config, layers, mediaType: declared } = parsed.data;
  const isImage = config !== undefined && layers !== undefined;
  // What could be read both ways is dangerous: GHSA-mc8v-mgrf-8f4m.
  if ((manifests !== undefined) === isImage || (manifests !== undefined && layers !== undefined)) return undefined;
  const received = mediaTypeOf(contentType);
  const mediaType = declared ?? (manifestKind(received) === 'other' ? guessMediaType(isImage) : received);
  if (manifestKind(mediaType) !== (isImage ? 'image' : 'index')) return undefined;
  return { mediaType, platforms: (manifests ?? []).filter(isRunnable).slice(0, MAX_PLATFORMS).map(toPlatform) };
}

type Descriptor = NonNullable<z.infer<typeof manifestSchema>['manifests']>[number];

/** BuildKit lists attestations beside the images, as manifests for the platform unknown/unknown. */
function isRunnable({ platform }: Descriptor): boolean {
  return platform?.os !== 'unknown';
}

function toPlatform({ digest, platform }: Descriptor): PlatformManifest {
  if (!platform) return { digest };
  const { os, architecture, variant, 'os.version': osVersion } = platform;
  // As containerd writes it: an index has a manifest for each version of Windows.
  const system = osVersion ? `${os}(${osVersion})` : os;
  return { platform: [system, architecture, ...(variant ? [variant] : [])].join('/'), digest };
}

function guessMediaType(isImage: boolean): string {
  return (isImage ? IMAGE_TYPES : INDEX_TYPES)[0] ?? '';
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
