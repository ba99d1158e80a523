/** Follows a release and its objects. */
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../controller/kinds/deployments.ts';
import { PODS } from '../../controller/kinds/pods.ts';
import { LABEL } from '../../api/meta.ts';
import type { Reflector } from '../../kube/reflector.ts';
import { createReflector } from '../../kube/reflector.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import { CliError } from '../exit-codes.ts';
import type { Session } from '../session.ts';
import type { ReleaseTree } from './tree.ts';
import { treeOf } from './tree.ts';

/** How long changes are collected before a page is drawn (ms). */
const COLLECT_MS = 100;
/** Ages go on without a change (ms). */
const TICK_MS = 1000;

/**
 * Calls `onTree` with each state of the release until Ctrl-C.
 * @throws CliError if the release does not exist, or is deleted meanwhile
 */
export async function watchRelease(
  { client, namespace, io, notShown }: Session,
  name: string,
  onTree: (tree: ReleaseTree) => void,
): Promise<void> {
  const labelSelector = `${LABEL.release}=${name}`;
  function follow<T extends KubeObject>(resource: Resource<T>, selection: object): Reflector<T, Live<T>> {
    return createReflector({ client, resource, namespace, ...selection, transform: (object: Live<T>) => object });
  }
  const releases = follow(APP_RELEASES, { fieldSelector: `metadata.name=${name}` });
  const deployments = follow(DEPLOYMENTS, { labelSelector, isOptional: true });
  const pods = follow(PODS, { labelSelector, isOptional: true });
  const all = [releases, deployments, pods];
  const ended = Promise.withResolvers<undefined>();
  let due: NodeJS.Timeout | undefined;
  function show(): void {
    due = undefined;
    const release = releases.store.get(namespace, name);
    if (!release) {
      ended.reject(new CliError(`there is no release ${name} in namespace ${namespace}: see kubectl apprelease list`));
      return;
    }
    onTree(treeOf(release, { deployments: shown('revisions', deployments), pods: shown('pods', pods) }));
  }
  function shown<T extends KubeObject>(what: string, { absence, store }: Reflector<T, Live<T>>) {
    if (absence() === undefined) return store.list();
    notShown(what, `you have no right to list and watch them in namespace ${namespace}`);
    return undefined;
  }
  const tick = setInterval(show, TICK_MS);
  try {
    for (const one of all) {
      one.onChange(() => (due ??= setTimeout(show, COLLECT_MS)));
      one.start();
    }
    io.interrupted.addEventListener('abort', () => {
      ended.resolve(undefined);
    });
    await Promise.race([Promise.all(all.map(({ synced }) => synced)), ended.promise]);
    if (io.interrupted.aborted) return;
    show();
    await ended.promise;
  } finally {
    clearInterval(tick);
    clearTimeout(due);
    await Promise.all(all.map((one) => one.stop()));
  }
}
