import type { KubeClient } from '../../kube/types.ts';

/** A client that notes whether a write through it has succeeded. A dry run writes nothing. */
export function watchWrites(client: KubeClient): { client: KubeClient; hasWritten: () => boolean } {
  let hasWritten = false;

  async function note<T>(write: Promise<T>, isDryRun = false): Promise<T> {
    const answer = await write;
    hasWritten ||= !isDryRun;
    return answer;
  }
  return {
    hasWritten: () => hasWritten,
    client: {
      ...client,
      create: (resource, object, options) => note(client.create(resource, object, options), options?.dryRun),
      update: (resource, object, options) => note(client.update(resource, object, options), options?.dryRun),
      apply: (resource, object, options) => note(client.apply(resource, object, options), options.dryRun),
      patch: (resource, key, patch, options) => note(client.patch(resource, key, patch, options), options?.dryRun),
      delete: (resource, key, options) => note(client.delete(resource, key, options), options?.dryRun),
    },
  };
}
