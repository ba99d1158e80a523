/** Which VMs have which images, as reported by their kubelets. Pure. */
import type { Node } from './objects.ts';

export interface ImagePresence {
  /** VMs with all of the images. */
  have: number;
  /** VMs that may have them, because their kubelets report only the 50 biggest images (nodeStatusMaxImages). */
  unknown: number;
  of: number;
}

/** Compares digests, because a tag on a node does not say which digest it named when it was pulled. */
export function imagePresence(nodes: readonly Node[], digests: readonly string[]): ImagePresence {
  const missing = nodes.filter((node) => !hasImages(node, digests));
  const unknown = missing.filter(({ imagesTruncated }) => imagesTruncated).length;
  return { have: nodes.length - missing.length, unknown, of: nodes.length };
}

export function hasImages({ images }: Pick<Node, 'images'>, digests: readonly string[]): boolean {
  return digests.every((digest) => images.some((name) => name.endsWith(`@${digest}`)));
}
