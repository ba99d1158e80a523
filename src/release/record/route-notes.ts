/** What the operator notes on a route, in annotations. */
import * as z from 'zod';
import { ANNOTATION } from '../../api/meta.ts';
import { onceForObject } from '../../lib/once.ts';
import type { Route } from './kube-objects.ts';
import { readJson, time } from './recorded.ts';

/** The sizes of pools that a route has as weights. */
export interface WrittenSizes {
  /** When they were written (RFC 3339). */
  at: string;
  /** Service → the number of pods that it should have. */
  of: Record<string, number>;
}

/** The traffic of a Service leaves it, or comes back, since then (RFC 3339). */
export interface Evacuation {
  since: string;
  to: 'Away' | 'Back';
}

/** By Service. */
export type Evacuations = Readonly<Record<string, Evacuation>>;

const sizes = z.object({ at: time, of: z.record(z.string(), z.int().min(0)) });
const evacuations = z.record(z.string(), z.object({ since: time, to: z.enum(['Away', 'Back']) }));

/** Undefined if the route has none that can be read. */
export const readSizes = onceForObject(({ metadata }: Route): WrittenSizes | undefined =>
  readJson(sizes, metadata.annotations?.[ANNOTATION.weights]),
);

export const readEvacuations = onceForObject(
  ({ metadata }: Route): Evacuations => readJson(evacuations, metadata.annotations?.[ANNOTATION.evacuations]) ?? {},
);

export interface RouteNotes {
  sizes?: WrittenSizes;
  evacuations: Evacuations;
}

/** The annotations with the notes. */
export function writeNotes({ sizes: written, evacuations: leaving }: RouteNotes): Record<string, string> {
  return {
    ...(written && { [ANNOTATION.weights]: JSON.stringify({ at: written.at, of: written.of }) }),
    ...(Object.keys(leaving).length > 0 && { [ANNOTATION.evacuations]: JSON.stringify(leaving) }),
  };
}
