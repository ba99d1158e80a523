import type { World } from './harness.ts';
import type { Spec } from './release-objects.ts';
import { oneStage, release } from './release-objects.ts';

/** Releases versions one after the other, in every pool; returns the last spec. */
export async function releaseAll(world: World, versions: string[], changes: Partial<Spec> = {}): Promise<Spec> {
  let spec: Spec | undefined;
  for (const version of versions) {
    spec = release(await world.image(version), { stages: oneStage, ...changes });
    await world.apply(spec);
    await world.released(spec.version ?? version);
  }
  if (!spec) throw new Error('no version');
  return spec;
}
