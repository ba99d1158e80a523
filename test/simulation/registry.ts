import { createHash } from 'node:crypto';
import type { DigestLookup } from '../../src/release/state/observed.ts';

/** A registry whose tags can move, and that can be down. */
export interface Registry {
  up: boolean;
  resolve: (image: string) => DigestLookup;
  /** Moves the tag to another digest. */
  move: (image: string) => void;
}

export function createRegistry(): Registry {
  const moves = new Map<string, number>();
  const registry: Registry = {
    up: true,
    resolve: (image) => {
      if (!registry.up) {
        return { state: 'failed', reason: 'RegistryUnavailable', message: `${image}: 503`, retryable: true };
      }
      const digest = `sha256:${createHash('sha256')
        .update(`${image} ${moves.get(image) ?? 0}`)
        .digest('hex')}`;
      return { state: 'resolved', image: `${image}@${digest}`, digest };
    },
    move: (image) => moves.set(image, (moves.get(image) ?? 0) + 1),
  };
  return registry;
}
