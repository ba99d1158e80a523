import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createClient } from './client.ts';
import { KubeError } from './errors.ts';
import { createReflector, type Reflector, type ReflectorOptions } from './reflector.ts';
import { sendEvent, sendJson, startTestServer, testConfig, WIDGETS, type Widget } from './testing.ts';
import type { KubeClient, ListOptions, Live, ObjectList, WatchEvent, WatchOptions } from './types.ts';

type Step = WatchEvent<Widget> | Error | 'end';

/** A scripted server: each list takes the next answer, and each watch stays open and sends the events of `emit`. */
interface Script {
  client: Pick<KubeClient, 'list' | 'watch'>;
  lists: ListOptions[];
  watches: WatchOptions[];
  answers: (ObjectList<Widget> | Error)[];
  emit: (...steps: Step[]) => Promise<void>;
}

function widget(name: string, resourceVersion: number, size = 0): Live<Widget> {
  return {
    apiVersion: 'example.com/v1',
    kind: 'Widget',
    metadata: {
      namespace: 'shop',
      name,
      uid: name,
      resourceVersion: String(resourceVersion),
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { size },
  };
}

function listOf(resourceVersion: number, ...items: Live<Widget>[]): ObjectList<Widget> {
  return { resourceVersion: String(resourceVersion), items };
}

function kubeError(code: number, retryAfterSeconds?: number, reason = 'Test'): KubeError {
  const after = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new KubeError({ code, reason, message: reason, verb: 'watch', path: '/', ...after });
}

function script(...answers: (ObjectList<Widget> | Error)[]): Script {
  const lists: ListOptions[] = [];
  const watches: WatchOptions[] = [];
  const steps: Step[] = [];
  let wake = (): void => undefined;

  function list(_resource: unknown, options: ListOptions): Promise<ObjectList<Widget>> {
    lists.push(options);
    const answer = answers.shift() ?? kubeError(500);
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  }

  async function* watch(
    _resource: unknown,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<Widget>, void, undefined> {
    watches.push(options);
    for (;;) {
      const step = steps.shift();
      if (step === 'end') return;
      if (step instanceof Error) throw step;
      if (step) yield step;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
          options.signal?.addEventListener('abort', () => {
            resolve();
          });
        });
        if (options.signal?.aborted) throw kubeError(0, undefined, 'Aborted');
      }
    }
  }

  return {
    client: { list, watch } as unknown as Pick<KubeClient, 'list' | 'watch'>,
    lists,
    watches,
    answers,
    emit: async (...more) => {
      steps.push(...more);
      wake();
      await settle();
    },
  };
}

/** Runs everything that does not wait for a timer. */
async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

let reflector: Reflector<Widget, Live<Widget>>;
let changes: string[];
let errors: unknown[];

function reflect(
  client: Pick<KubeClient, 'list' | 'watch'>,
  options: Partial<ReflectorOptions<Widget, Live<Widget>>> = {},
): void {
  reflector = createReflector<Widget, Live<Widget>>({
    client,
    resource: WIDGETS,
    transform: (object) => object,
    onError: (error) => errors.push(error),
    random: () => 0,
    ...options,
  });
  reflector.onChange((change) => {
    changes.push(`${change.type} ${change.object.metadata.name} ${change.object.metadata.resourceVersion}`);
  });
  reflector.start();
}

beforeEach(() => {
  vi.useFakeTimers();
  changes = [];
  errors = [];
});

afterEach(async () => {
  await reflector.stop();
  vi.useRealTimers();
});

describe('list and watch', () => {
  test('the list is stored, then the events', async () => {
    const server = script(listOf(5, widget('a', 1)));
    reflect(server.client, { namespace: 'shop', labelSelector: 'x=y', fieldSelector: 'p=q', pageSize: 7 });
    expect(reflector.hasSynced()).toBe(false);
    await reflector.synced;
    await server.emit(
      { type: 'ADDED', object: widget('b', 6) },
      { type: 'MODIFIED', object: widget('a', 7, 3) },
      { type: 'DELETED', object: widget('b', 8) },
    );
    expect(reflector.hasSynced()).toBe(true);
    expect(changes).toEqual(['added a 1', 'added b 6', 'modified a 7', 'deleted b 6']);
    expect(reflector.store.get('shop', 'a')?.spec).toEqual({ size: 3 });
    const selection = { namespace: 'shop', labelSelector: 'x=y', fieldSelector: 'p=q' };
    expect(server.lists[0]).toMatchObject({ ...selection, limit: 7 });
    // No version: a consistent read.
    expect(server.lists[0]).not.toHaveProperty('resourceVersion');
    expect(server.watches[0]).toMatchObject({ ...selection, resourceVersion: '5', timeoutSeconds: 300 });
  });

  test('the store contains the transformed objects of lists and watches', async () => {
    const server = script(listOf(5, widget('a', 1, 3)));
    reflect(server.client, { transform: ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, metadata }) });
    await reflector.synced;
    await server.emit({ type: 'ADDED', object: widget('b', 6, 3) });
    expect(reflector.store.list().map((object) => 'spec' in object)).toEqual([false, false]);
  });

  test('a watch that ends is resumed at the last event or bookmark, without a list', async () => {
    const server = script(listOf(5));
    reflect(server.client);
    await reflector.synced;
    await server.emit({ type: 'ADDED', object: widget('a', 6) }, 'end');
    await server.emit({ type: 'BOOKMARK', resourceVersion: '90' }, 'end');
    expect(server.watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['5', '6', '90']);
    expect(server.lists).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  test('watches end at different times', async () => {
    const server = script(listOf(5));
    reflect(server.client, { random: () => 0.5 });
    await reflector.synced;
    await settle();
    expect(server.watches[0]?.timeoutSeconds).toBe(450);
  });

  test('410 causes a list; objects that are missing in it are deleted', async () => {
    const server = script(listOf(5, widget('a', 1)), listOf(20, widget('b', 11)));
    reflect(server.client);
    await reflector.synced;
    await server.emit(kubeError(410));
    expect(changes).toEqual(['added a 1', 'deleted a 1', 'added b 11']);
    expect(server.watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['5', '20']);
  });

  test('repeated 410 backs off: a server that knows no version is not flooded', async () => {
    const server = script(listOf(5), listOf(6), listOf(7), listOf(8));
    reflect(server.client);
    await reflector.synced;
    await server.emit(kubeError(410), kubeError(410));
    expect(server.lists).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(800);
    expect(server.lists).toHaveLength(3);
    await server.emit({ type: 'BOOKMARK', resourceVersion: '9' }, kubeError(410));
    expect(server.lists).toHaveLength(4);
  });

  test('a dropped connection causes no list', async () => {
    const server = script(listOf(5));
    reflect(server.client);
    await reflector.synced;
    await server.emit({ type: 'ADDED', object: widget('a', 6) }, kubeError(0));
    await vi.advanceTimersByTimeAsync(800);
    expect(server.watches.map(({ resourceVersion }) => resourceVersion)).toEqual(['5', '6']);
    expect(server.lists).toHaveLength(1);
    expect(errors).toHaveLength(1);
  });

  test('a list that is older than the stream is refused', async () => {
    const server = script(listOf(50, widget('a', 40)), listOf(45), listOf(60, widget('a', 40)));
    reflect(server.client);
    await reflector.synced;
    await server.emit({ type: 'BOOKMARK', resourceVersion: '55' }, kubeError(410));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(server.watches.at(-1)?.resourceVersion).toBe('60');
    expect(changes).toEqual(['added a 40']);
  });

  test('a history that stays older is accepted as the new one', async () => {
    const restored = listOf(30, widget('a', 20));
    const server = script(listOf(50, widget('a', 40)), restored, restored, restored, restored, restored);
    reflect(server.client);
    await reflector.synced;
    await server.emit(kubeError(410));
    await vi.advanceTimersByTimeAsync(120_000);
    expect(server.watches.at(-1)?.resourceVersion).toBe('30');
    await server.emit({ type: 'MODIFIED', object: widget('a', 31) });
    expect(changes).toEqual(['added a 40', 'modified a 20', 'modified a 31']);
  });
});

describe('failures', () => {
  test('delays grow from 0.8 s to 30 s, and start again after success', async () => {
    const server = script();
    reflect(server.client);
    await settle();
    const waits: number[] = [];
    for (let listed = 1; listed <= 8; listed++) {
      expect(server.lists).toHaveLength(listed);
      const before = performance.now();
      await vi.advanceTimersToNextTimerAsync();
      waits.push(performance.now() - before);
    }
    expect(waits.map(Math.round)).toEqual([800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
    server.answers.push(listOf(5));
    await vi.advanceTimersToNextTimerAsync();
    await server.emit({ type: 'BOOKMARK', resourceVersion: '6' }, kubeError(0));
    expect(server.watches).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(800);
    expect(server.watches).toHaveLength(2);
  });

  test('an unreachable server is retried every 5 s', async () => {
    const gone = kubeError(0, undefined, 'ConnectionFailed');
    const server = script(gone, gone, gone, gone, gone, gone);
    reflect(server.client);
    await vi.advanceTimersByTimeAsync(800 + 1600 + 3200 + 5000 + 5000);
    expect(server.lists).toHaveLength(6);
  });

  test('a server that ends every watch at once is not flooded, and a list replaces the version', async () => {
    const server = script(listOf(5), listOf(5));
    reflect(server.client);
    await reflector.synced;
    for (let ended = 0; ended < 5; ended++) {
      await server.emit('end');
      expect(server.watches).toHaveLength(ended + 1);
      await vi.advanceTimersToNextTimerAsync();
    }
    expect(server.lists).toHaveLength(2);
  });

  test('Retry-After is obeyed', async () => {
    const server = script(kubeError(429, 20), listOf(5));
    reflect(server.client);
    await vi.advanceTimersByTimeAsync(19_999);
    expect(server.lists).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.lists).toHaveLength(2);
  });

  test('a listener that throws is reported and stops nothing', async () => {
    const server = script(listOf(5, widget('a', 1), widget('b', 2)));
    reflect(server.client);
    reflector.onChange(() => {
      throw new Error('broken listener');
    });
    await reflector.synced;
    await server.emit({ type: 'ADDED', object: widget('c', 6) });
    expect(changes).toEqual(['added a 1', 'added b 2', 'added c 6']);
    expect(errors).toHaveLength(3);
  });

  test('a stop ends the watch or the wait, and rejects the wait for a first list', async () => {
    const watching = script(listOf(5));
    reflect(watching.client);
    await reflector.synced;
    await settle();
    await reflector.stop();
    expect(errors).toEqual([]);

    reflect(script().client);
    await settle();
    await reflector.stop();
    await expect(reflector.synced).rejects.toThrow('stopped before its first list');
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('observed writes and deletions are changes, each delivered once', async () => {
  const server = script(listOf(5, widget('a', 1)));
  reflect(server.client);
  await reflector.synced;
  reflector.store.observeWrite(widget('a', 6));
  reflector.store.observeWrite(widget('b', 7));
  reflector.store.observeDelete(widget('a', 6));
  await server.emit(
    { type: 'MODIFIED', object: widget('a', 6) },
    { type: 'ADDED', object: widget('b', 7) },
    { type: 'DELETED', object: widget('a', 8) },
  );
  expect(changes).toEqual(['added a 1', 'modified a 6', 'added b 7', 'deleted a 6']);
});

test('over the wire: a watch that goes silent without closing is noticed', async () => {
  vi.useRealTimers();
  let watches = 0;
  const server = await startTestServer(({ url }, response) => {
    if (!url.searchParams.has('watch')) {
      sendJson(response, { metadata: { resourceVersion: '5' }, items: [widget('a', 1)] });
    } else if (++watches === 1) {
      sendEvent(response, 'ADDED', widget('b', 6));
    } else {
      sendEvent(response, 'ADDED', widget('c', 7));
    }
  });
  const client = createClient(testConfig(server.url));
  try {
    reflect(client, { idleTimeoutMs: 50 });
    await vi.waitFor(
      () => {
        expect(reflector.store.get('shop', 'c')).toBeDefined();
      },
      { timeout: 10_000 },
    );
    const watched = server.requests.filter(({ url }) => url.searchParams.has('watch'));
    expect(watched[1]?.url.searchParams.get('resourceVersion')).toBe('6');
  } finally {
    await reflector.stop();
    await client.close();
    await server.close();
  }
});

describe('an optional resource', () => {
  test.each([
    [404, 'NotFound'],
    [403, 'Forbidden'],
  ])('that the API server answers with %i is empty, and is tried again', async (code, absence) => {
    const server = script(kubeError(code), kubeError(code), listOf(5, widget('a', 1)));
    reflect(server.client, { isOptional: true });
    await reflector.synced;
    expect(reflector.absence()).toBe(absence);
    expect(reflector.store.list()).toEqual([]);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(reflector.absence()).toBe(absence);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(reflector.absence()).toBeUndefined();
    expect(changes).toEqual(['added a 1']);
    expect(errors).toEqual([]);
  });

  test('that goes away loses its objects', async () => {
    const server = script(listOf(5, widget('a', 1)), kubeError(404));
    reflect(server.client, { isOptional: true });
    await reflector.synced;
    await server.emit(kubeError(404));
    await settle();
    expect(reflector.absence()).toBe('NotFound');
    expect(changes).toEqual(['added a 1', 'deleted a 1']);
  });

  test('waits for its first answer while the API server fails', async () => {
    const server = script(kubeError(500), listOf(5));
    reflect(server.client, { isOptional: true });
    await settle();
    expect(reflector.hasSynced()).toBe(false);
    expect(reflector.absence()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(800);
    expect(reflector.hasSynced()).toBe(true);
  });
});

test('a resource that is not optional is waited for', async () => {
  const server = script(kubeError(404), listOf(5));
  reflect(server.client);
  await settle();
  expect(reflector.hasSynced()).toBe(false);
  expect(errors).toHaveLength(1);
});
