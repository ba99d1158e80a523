/** Reads and follows the events of a release. */
import { PROMOTIONS, ROLLBACKS } from '../../controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../controller/kinds/deployments.ts';
import { LABEL } from '../../api/meta.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { Reflector } from '../../kube/reflector.ts';
import { createReflector } from '../../kube/reflector.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { Session } from '../session.ts';
import type { EventRow, KubeEvent, LiveEvent, Related } from './events.ts';
import { CORE_EVENTS, EVENTS, eventsOf } from './events.ts';
import { readInNamespace, readOwned } from './releases.ts';

type Request = Live<KubeObject & { spec: { release: string } }>;

/** How long changes are collected before they are told (ms). */
const COLLECT_MS = 200;

/**
 * The events that there are, the oldest first, and the API that the user may read.
 * @throws KubeError without the right to either API
 */
export async function readEvents(
  { client, namespace, ifAllowed }: Session,
  name: string,
): Promise<{ rows: EventRow[]; resource: Resource<KubeEvent> }> {
  const [{ events, resource }, rollbacks, promotions, deployments] = await Promise.all([
    readAllowed(),
    ifAllowed('events of rollbacks', readInNamespace(client, ROLLBACKS, namespace)),
    ifAllowed('events of promotions', readInNamespace(client, PROMOTIONS, namespace)),
    ifAllowed('events of Deployments and pods', readOwned(client, DEPLOYMENTS, namespace, name)),
  ]);
  return { rows: eventsOf(events, relatedOf(name, rollbacks, promotions, deployments)), resource };

  async function readAllowed(): Promise<{ events: LiveEvent[]; resource: Resource<KubeEvent> }> {
    try {
      return { events: await readInNamespace(client, EVENTS, namespace), resource: EVENTS };
    } catch (error) {
      if (!isForbidden(error)) throw error;
      return { events: await readInNamespace(client, CORE_EVENTS, namespace), resource: CORE_EVENTS };
    }
  }
}

function relatedOf(
  release: string,
  rollbacks: readonly Request[] = [],
  promotions: readonly Request[] = [],
  deployments: readonly Live<KubeObject>[] = [],
): Related {
  const namesOf = (requests: readonly Request[]) =>
    requests.filter(({ spec }) => spec.release === release).map(({ metadata }) => metadata.name);
  return {
    release,
    rollbacks: namesOf(rollbacks),
    promotions: namesOf(promotions),
    deployments: deployments.map(({ metadata }) => metadata.name),
  };
}

/** Calls `onRows` with the events that there are, and with each new state of one, until Ctrl-C. */
export async function watchEvents(
  { client, namespace, io }: Session,
  name: string,
  resource: Resource<KubeEvent>,
  onRows: (rows: readonly EventRow[]) => void,
): Promise<void> {
  function follow<T extends KubeObject>(of: Resource<T>, selection: object = {}): Reflector<T, Live<T>> {
    return createReflector({
      client,
      resource: of,
      namespace,
      ...selection,
      isOptional: true,
      transform: (object: Live<T>) => object,
    });
  }
  const events = follow(resource);
  const rollbacks = follow(ROLLBACKS);
  const promotions = follow(PROMOTIONS);
  const deployments = follow(DEPLOYMENTS, { labelSelector: `${LABEL.release}=${name}` });
  const all = [events, rollbacks, promotions, deployments];
  const told = new Set<string>();
  let due: NodeJS.Timeout | undefined;
  function tell(): void {
    due = undefined;
    // A Deployment whose events are to be told must be known.
    if (!all.every((one) => one.hasSynced())) return;
    const related = relatedOf(name, rollbacks.store.list(), promotions.store.list(), deployments.store.list());
    for (const { metadata } of deployments.store.list()) known.add(metadata.name);
    const rows = eventsOf(events.store.list(), { ...related, deployments: [...known] });
    const fresh = rows.filter(({ key }) => !told.has(key));
    for (const { key } of fresh) told.add(key);
    if (fresh.length > 0) onRows(fresh);
  }
  /** Those that are gone have events too. */
  const known = new Set<string>();
  const ended = Promise.withResolvers<undefined>();
  try {
    for (const one of all) {
      one.onChange(() => (due ??= setTimeout(tell, COLLECT_MS)));
      one.start();
    }
    io.interrupted.addEventListener('abort', () => {
      ended.resolve(undefined);
    });
    if (io.interrupted.aborted) return;
    await Promise.race([Promise.all(all.map(({ synced }) => synced)), ended.promise]);
    tell();
    await ended.promise;
  } finally {
    clearTimeout(due);
    await Promise.all(all.map((one) => one.stop()));
  }
}
