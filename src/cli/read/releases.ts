/** Reads of AppReleases and of what belongs to them. */
import { LABEL } from '../../api/meta.ts';
import { listAll } from '../../kube/client.ts';
import type { KubeClient, KubeObject, Live, Resource } from '../../kube/types.ts';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';

/** An AppRelease as the API server sends it. */
export type LiveRelease = Live<NonNullable<(typeof APP_RELEASES)['type']>>;

/** The wanted version. A spec without one has the version of its image, which the operator writes to the status. */
export function versionOf({ spec, status }: LiveRelease): string {
  return spec.version ?? status?.version ?? '-';
}

export function readRelease(client: KubeClient, namespace: string, name: string): Promise<LiveRelease> {
  return client.get(APP_RELEASES, { namespace, name });
}

/** Objects per answer. */
export const PAGE = 500;

/** The objects of a kind that have the label of the release. */
export async function readOwned<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  namespace: string,
  name: string,
): Promise<Live<T>[]> {
  const { items } = await listAll(client, resource, {
    namespace,
    labelSelector: `${LABEL.release}=${name}`,
    limit: PAGE,
  });
  return items;
}

/** All objects of a kind in the namespace. */
export async function readInNamespace<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  namespace: string,
): Promise<Live<T>[]> {
  const { items } = await listAll(client, resource, { namespace, limit: PAGE });
  return items;
}
