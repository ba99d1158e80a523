/** The sizes of pools that a route has as weights, in an annotation of the route. */
import * as z from 'zod';
import { ANNOTATION } from '../../api/meta.ts';
import { onceForObject } from '../../lib/once.ts';
import type { Route } from './kube-objects.ts';
import { readJson } from './recorded.ts';

export interface WrittenSizes {
  /** When they were written (RFC 3339). */
  at: string;
  /** Service → the number of pods that it should have. */
  of: Record<string, number>;
}

const schema = z.object({
  at: z.string().refine((text) => !Number.isNaN(Date.parse(text))),
  of: z.record(z.string(), z.int().min(0)),
});

/** Undefined if the route has none that can be read. */
export const readSizes = onceForObject(({ metadata }: Route): WrittenSizes | undefined =>
  readJson(schema, metadata.annotations?.[ANNOTATION.weights]),
);

export function writeSizes(sizes: WrittenSizes): Record<string, string> {
  return { [ANNOTATION.weights]: JSON.stringify({ at: sizes.at, of: sizes.of }) };
}
