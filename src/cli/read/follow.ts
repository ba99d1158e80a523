/** Each state of one release, by a watch, or by reads where the user may not watch. */
import { setTimeout as pause } from 'node:timers/promises';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { isGone, isKubeError, isNotFound, isTransient } from '../../kube/errors.ts';
import { createReflector } from '../../kube/reflector.ts';
import type { KubeClient } from '../../kube/types.ts';
import type { LiveRelease } from './releases.ts';
import { readRelease } from './releases.ts';

/** How often a release is read without the right to watch it (ms). */
const POLL_MS = 2000;

export interface FollowOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** undefined: the release does not exist. */
  readonly onState: (release: LiveRelease | undefined) => void;
  /** The API server cannot be asked for the moment. It is asked again. */
  readonly onTrouble: (error: unknown) => void;
}

/**
 * Calls `onState` with each state, until the signal.
 * @throws KubeError if the release can be neither watched nor read, for another cause than an API server that is away
 */
export async function followRelease(options: FollowOptions): Promise<void> {
  if ((await watchStates(options)) === 'Refused') await pollStates(options);
}

async function watchStates({
  client,
  namespace,
  name,
  signal,
  onState,
  onTrouble,
}: FollowOptions): Promise<'Ended' | 'Refused'> {
  const end = Promise.withResolvers<'Ended' | 'Refused'>();
  const releases = createReflector({
    client,
    resource: APP_RELEASES,
    namespace,
    fieldSelector: `metadata.name=${name}`,
    transform: (object: LiveRelease) => object,
    onError: (error) => {
      if (!isKubeError(error) || isTransient(error)) onTrouble(error);
      else if (!isGone(error)) end.resolve('Refused');
    },
  });
  function stop(): void {
    end.resolve('Ended');
  }
  function show(): void {
    onState(releases.store.get(namespace, name));
  }
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    releases.onChange(show);
    releases.start();
    // A release that does not exist causes no change.
    void releases.synced.then(show, () => undefined);
    return await end.promise;
  } finally {
    signal.removeEventListener('abort', stop);
    await releases.stop();
  }
}

async function pollStates({ client, namespace, name, signal, onState, onTrouble }: FollowOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      onState(await readRelease(client, namespace, name));
    } catch (error) {
      if (isNotFound(error)) onState(undefined);
      else if (isTransient(error)) onTrouble(error);
      else throw error;
    }
    await pause(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
