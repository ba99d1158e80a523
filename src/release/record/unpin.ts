/** Takes the digests out of templates whose images are pinned, so that a record names images as the user does. Pure. */
import type { Container, PodTemplate } from '../../api/app-release.ts';
import { own } from '../../lib/own.ts';
import type { PinnedImage } from './recorded-data.ts';
import { templateImages } from './revision.ts';

const DIGEST = /@(sha(?:256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128}))$/;

export interface Unpinned {
  templates: Map<string, PodTemplate>;
  /** As in RevisionData. */
  images: Record<string, PinnedImage>;
}

/**
 * Undefined if an image has no digest. Of two digests under one name, both stay in the template. `known`: the pin of a name, which
 * may say more.
 */
export function unpin(
  templates: ReadonlyMap<string, PodTemplate>,
  known: (name: string) => PinnedImage | undefined,
): Unpinned | undefined {
  const pinned = [...new Set([...templates.values()].flatMap(templateImages))];
  const byName = Map.groupBy(pinned, withoutDigest);
  const pins = pinned.flatMap((image) => {
    const digest = DIGEST.exec(image)?.[1];
    if (digest === undefined) return [];
    const name = byName.get(withoutDigest(image))?.length === 1 ? withoutDigest(image) : image;
    const pin = known(name);
    return [{ name, pin: pin?.image === image && pin.digest === digest ? pin : { image, digest } }];
  });
  if (pins.length < pinned.length) return undefined;
  const names = Object.fromEntries(pins.map(({ name, pin }) => [pin.image, name]));
  return {
    templates: new Map([...templates].map(([pool, template]) => [pool, renamed(template, names)])),
    images: Object.fromEntries(pins.map(({ name, pin }) => [name, pin])),
  };
}

function withoutDigest(image: string): string {
  return image.split('@')[0] ?? image;
}

function renamed({ metadata, spec }: PodTemplate, names: Readonly<Record<string, string>>): PodTemplate {
  function rename(container: Container): Container {
    return { ...container, image: own(names, container.image) ?? container.image };
  }
  const { containers, initContainers, volumes } = spec;
  return {
    ...(metadata && { metadata }),
    spec: {
      ...spec,
      containers: containers.map(rename),
      ...(initContainers && { initContainers: initContainers.map(rename) }),
      ...(volumes && {
        volumes: volumes.map((volume) => {
          const { image } = volume;
          if (image?.reference === undefined) return volume;
          return { ...volume, image: { ...image, reference: own(names, image.reference) ?? image.reference } };
        }),
      }),
    },
  };
}
