/**
 * Renderers of the pod template of a revision. A revision is rendered by the renderer that it was recorded with, for ever:
 * a different output would restart its pods at an upgrade of the operator. So a renderer never changes; a different output
 * needs a new one, with a golden file. Pure.
 */
import type { Container, PodTemplate, PoolTemplate } from '../../api/app-release.ts';
import { ANNOTATION, LABEL, withoutOurs } from '../../api/meta.ts';
import { own } from '../../lib/own.ts';
import type { PinnedImage, Placement } from './recorded-data.ts';
import type { Revision } from './revision.ts';
import { templateFor } from './revision.ts';

/** The parts of a template that differ between the renderers. */
interface Renderer {
  metadata: (parts: MetadataParts) => NonNullable<PodTemplate['metadata']>;
  env: (own: Variables, overrides: Variables) => Variables;
}

interface MetadataParts {
  template: PodTemplate;
  difference: PoolTemplate | undefined;
  /** The labels of the operator. */
  labels: Record<string, string>;
  version: string;
}

type Variables = NonNullable<Container['env']>;

const NEWEST: Renderer = { metadata: labelsOfUserWin, env: overridesInPlace };

/** The renderer of new revisions. */
export const RENDERER = 2;

/** Each renderer by its number, which revisions record. */
const RENDERERS: Readonly<Record<number, Renderer>> = {
  1: { metadata: labelsOfOperatorWin, env: overridesLast },
  [RENDERER]: NEWEST,
};

/** Whether a newer operator recorded the revision, with a renderer that this operator does not know. */
export function isOfNewerRenderer({ data }: Revision): boolean {
  return RENDERERS[data.renderer] === undefined;
}

export function renderTemplate(
  revision: Revision,
  pool: string,
  placement: Placement,
  labels: Record<string, string>,
): PodTemplate {
  const { template, version } = revision.data.input;
  const { images } = revision.data;
  const difference = templateFor(revision, pool);
  const renderer = RENDERERS[revision.data.renderer] ?? NEWEST;
  const { spec } = template;
  function render(container: Container): Container {
    const own = difference?.spec?.containers?.find(({ name }) => name === container.name);
    return renderContainer(renderer, container, images, own);
  }
  return {
    metadata: renderer.metadata({ template, difference, labels, version }),
    spec: {
      ...spec,
      containers: spec.containers.map(render),
      ...(spec.initContainers && { initContainers: spec.initContainers.map(render) }),
      ...(spec.volumes && {
        volumes: spec.volumes.map((volume) =>
          volume.image?.reference === undefined
            ? volume
            : {
                ...volume,
                image: {
                  pullPolicy: 'IfNotPresent',
                  ...volume.image,
                  reference: pinned(volume.image.reference, images),
                },
              },
        ),
      }),
      ...(difference?.spec?.serviceAccountName && { serviceAccountName: difference.spec.serviceAccountName }),
      nodeSelector: { ...spec.nodeSelector, ...placement.nodeSelector },
      tolerations: [...(spec.tolerations ?? []), ...placement.tolerations],
    },
  };
}

/** The pod template of a revision in a pool, without the placement and without what says which revision it is. */
export function renderPods(revision: Revision, pool: string): PodTemplate {
  const labels = { [LABEL.managedBy]: 'apprelease' };
  const { metadata, spec } = renderTemplate(revision, pool, { nodeSelector: {}, tolerations: [] }, labels);
  return { metadata: { ...metadata, annotations: withoutOurs(metadata?.annotations) }, spec };
}

function pinned(image: string, images: Record<string, PinnedImage>): string {
  return own(images, image)?.image ?? image;
}

type Difference = NonNullable<NonNullable<PoolTemplate['spec']>['containers']>[number] | undefined;

function renderContainer(
  renderer: Renderer,
  container: Container,
  images: Record<string, PinnedImage>,
  difference: Difference,
): Container {
  const env = difference?.env ?? [];
  return {
    imagePullPolicy: 'IfNotPresent',
    ...container,
    image: pinned(container.image, images),
    ...(env.length > 0 && { env: renderer.env(container.env ?? [], env) }),
    ...(difference?.envFrom && { envFrom: difference.envFrom }),
    ...(difference?.resources && { resources: difference.resources }),
  };
}

function labelsOfUser({ template, difference }: MetadataParts): Record<string, string> {
  return { ...withoutOurs(template.metadata?.labels), ...withoutOurs(difference?.metadata?.labels) };
}

function annotationsOf({ template, difference, version }: MetadataParts): Record<string, string> {
  return {
    ...withoutOurs(template.metadata?.annotations),
    ...withoutOurs(difference?.metadata?.annotations),
    [ANNOTATION.version]: version,
  };
}

function labelsOfOperatorWin(parts: MetadataParts): NonNullable<PodTemplate['metadata']> {
  return { labels: { ...labelsOfUser(parts), ...parts.labels }, annotations: annotationsOf(parts) };
}

/** The names of the operator's group are not among the labels of the user. */
function labelsOfUserWin(parts: MetadataParts): NonNullable<PodTemplate['metadata']> {
  const { finalizers = [] } = parts.template.metadata ?? {};
  return {
    labels: { ...parts.labels, ...labelsOfUser(parts) },
    annotations: annotationsOf(parts),
    ...(finalizers.length > 0 && { finalizers }),
  };
}

/** A variable whose value names an overridden variable stands before it, so Kubernetes does not expand that name. */
function overridesLast(variables: Variables, overrides: Variables): Variables {
  const replaced = new Set(overrides.map(({ name }) => name));
  return [...variables.filter(({ name }) => !replaced.has(name)), ...overrides];
}

/** As in a strategic merge: an override takes the place of what it overrides, and new variables come after. */
function overridesInPlace(variables: Variables, overrides: Variables): Variables {
  const byName = new Map(overrides.map((override) => [override.name, override]));
  const known = new Set(variables.map(({ name }) => name));
  return [
    ...variables.map((variable) => byName.get(variable.name) ?? variable),
    ...overrides.filter(({ name }) => !known.has(name)),
  ];
}
