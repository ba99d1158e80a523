/** Which VMs have which images, as their kubelets say. Pure. */
import type { Node } from './objects.ts';

export interface ImagePresence {
  /** VMs that have all of the images. */
  have: number;
  /** VMs that may have them: their kubelets report the 50 biggest images only (nodeStatusMaxImages). */
  unknown: number;
  of: number;
}

/** By digest: a tag on a node says nothing of what it named when it was pulled. */
export function imagePresence(nodes: readonly Node[], digests: readonly string[]): ImagePresence {
  const missing = nodes.filter((node) => !hasImages(node, digests));
  const unknown = missing.filter(({ imagesTruncated }) => imagesTruncated).length;
  return { have: nodes.length - missing.length, unknown, of: nodes.length };
}

export function hasImages({ images }: Pick<Node, 'images'>, digests: readonly string[]): boolean {
  return digests.every((digest) => images.some((name) => name.endsWith(`@${digest}`)));
}
