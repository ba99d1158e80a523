/** What a release of another version changes in the spec. Pure. */
import type { JsonPatchOperation } from '../../kube/types.ts';
import { CliError } from '../exit-codes.ts';
import type { LiveRelease } from './releases.ts';
import { versionOf } from './releases.ts';

export interface VersionChange {
  /** One line for each changed field. */
  readonly lines: readonly string[];
  /** Fails if the spec, or the order of its containers, has changed meanwhile. */
  readonly operations: readonly JsonPatchOperation[];
}

interface ImageChange {
  readonly container: string;
  /** Of the container in the spec, as a JSON pointer. */
  readonly path: string;
  readonly from: string;
  readonly to: string;
}

/**
 * `images`: container=reference. Without any, each image whose tag is the version that the spec wants now gets the new version as its tag.
 * @throws CliError if a container does not exist, or nothing says which image is wanted
 */
export function versionChange(release: LiveRelease, version: string, images: readonly string[]): VersionChange {
  const changes =
    images.length > 0 ? images.map((image) => namedImage(release, image)) : taggedImages(release, version);
  const before = versionOf(release);
  const changed = changes.filter(({ from, to }) => from !== to);
  if (before === version && changed.length === 0)
    throw new CliError(`release ${release.metadata.name} wants version ${version} with these images already`);
  return {
    lines: [
      ...(before === version ? [] : [`version: ${before} → ${version}`]),
      ...changed.map(({ container, from, to }) => `image of ${container}: ${from} → ${to}`),
    ],
    operations: [
      { op: 'test', path: '/metadata/generation', value: release.metadata.generation },
      { op: 'add', path: '/spec/version', value: version },
      ...changed.flatMap(({ container, path, to }): JsonPatchOperation[] => [
        { op: 'test', path: `${path}/name`, value: container },
        { op: 'replace', path: `${path}/image`, value: to },
      ]),
    ],
  };
}

function namedImage(release: LiveRelease, text: string): ImageChange {
  const [, name, to] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || to === undefined)
    throw new CliError(`--image ${text} must be container=reference, such as web=registry.example.com/web:1.1`);
  const all = containersOf(release);
  const found = all.find(({ container }) => container === name);
  if (!found)
    throw new CliError(
      `release ${release.metadata.name} has no container ${name}: it has ${all.map(({ container }) => container).join(', ')}`,
    );
  return { ...found, to };
}

function taggedImages(release: LiveRelease, version: string): ImageChange[] {
  const suffix = `:${versionOf(release)}`;
  const tagged = containersOf(release).filter(({ from }) => from.endsWith(suffix));
  if (tagged.length === 0)
    throw new CliError(
      `no image of release ${release.metadata.name} has the tag ${suffix.slice(1)}: name the images by --image container=reference`,
    );
  return tagged.map((image) => ({ ...image, to: `${image.from.slice(0, -suffix.length)}:${version}` }));
}

function containersOf({ spec }: LiveRelease): Omit<ImageChange, 'to'>[] {
  const { containers, initContainers = [] } = spec.template.spec;
  return Object.entries({ containers, initContainers }).flatMap(([list, items]) =>
    items.map(({ name, image }, index) => ({
      container: name,
      path: `/spec/template/spec/${list}/${index}`,
      from: image,
    })),
  );
}

/** Managers of GitOps tools, which undo a change of what they own (https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers). */
const GITOPS = /^(argocd|kustomize-controller|helm-controller|helm$|flux)/;

/** The GitOps tool that owns the version or the template of the release. */
export function gitOpsManager({ metadata }: LiveRelease): string | undefined {
  return metadata.managedFields?.find(({ manager = '', subresource, fieldsV1 }) => {
    const spec = (fieldsV1 as { 'f:spec'?: object } | undefined)?.['f:spec'];
    return subresource === undefined && GITOPS.test(manager) && spec !== undefined;
  })?.manager;
}
