import { describe, expect, test } from 'vitest';
import { listAll, type ClientOptions } from './client.ts';
import {
  isAborted,
  isAlreadyExists,
  isConflict,
  isGone,
  isInvalid,
  isNotFound,
  isTooManyRequests,
  isTransient,
} from './errors.ts';
import type { DatedAnswer } from './server-clock.ts';
import {
  failure,
  KEY,
  sendEvent,
  sendJson,
  sendStatus,
  startTestServer,
  testConfig,
  useServers,
  WIDGET,
  WIDGETS,
  type Answer,
  type TestServer,
  type Widget,
} from './testing.ts';
import {
  scaleResourceOf,
  statusOf,
  type KubeClient,
  type RequestRecord,
  type Resource,
  type WatchEvent,
} from './types.ts';

const SECRETS: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };
const NAMESPACES: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };

const { serve, connectTo } = useServers();

async function plain(answer: Answer, options?: ClientOptions): Promise<{ client: KubeClient; server: TestServer }> {
  const server = await serve(answer);
  return { server, client: connectTo(testConfig(server.url, { token: 'hush-hush' }), options) };
}

async function collect(events: AsyncIterable<WatchEvent<Widget>>): Promise<WatchEvent<Widget>[]> {
  const all: WatchEvent<Widget>[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const WATCH = { resourceVersion: '5', timeoutSeconds: 300, idleTimeoutMs: 10_000 };

describe('requests', () => {
  function echo(): Answer {
    return (_request, response) => {
      sendJson(response, WIDGET);
    };
  }

  test('a get names the object and the user', async () => {
    const { client, server } = await plain(echo());
    await expect(client.get(WIDGETS, KEY)).resolves.toEqual(WIDGET);
    expect(server.requests[0]).toMatchObject({ method: 'GET', headers: { authorization: 'Bearer hush-hush' } });
    expect(server.requests[0]?.url.pathname).toBe('/apis/example.com/v1/namespaces/shop/widgets/web');
  });

  test('the core group, a cluster-scoped kind, a server with a base path', async () => {
    const server = await serve(echo());
    const client = connectTo(testConfig(`${server.url}/clusters/c-1/`));
    await client.get(NAMESPACES, { name: 'shop' });
    expect(server.requests[0]?.url.pathname).toBe('/clusters/c-1/api/v1/namespaces/shop');
    expect(() => client.get(WIDGETS, { name: 'web' })).toThrow(TypeError);
  });

  test('server-side apply', async () => {
    const { client, server } = await plain(echo());
    const object = { ...WIDGET, spec: { size: 3 } };
    await client.apply(statusOf(WIDGETS), object, { fieldManager: 'me', force: true, dryRun: true });
    const [request] = server.requests;
    expect(request).toMatchObject({ method: 'PATCH', body: object });
    expect(request?.headers['content-type']).toBe('application/apply-patch+yaml');
    expect(request?.url.pathname).toBe('/apis/example.com/v1/namespaces/shop/widgets/web/status');
    expect(Object.fromEntries(request?.url.searchParams ?? [])).toEqual({
      fieldManager: 'me',
      force: 'true',
      dryRun: 'All',
    });
  });

  test('patches', async () => {
    const { client, server } = await plain(echo());
    await client.patch(WIDGETS, KEY, { type: 'json', operations: [{ op: 'remove', path: '/spec' }] });
    await client.patch(scaleResourceOf(WIDGETS), KEY, { type: 'merge', body: { spec: { replicas: 2 } } });
    expect(server.requests.map(({ headers, body }) => [headers['content-type'], body])).toEqual([
      ['application/json-patch+json', [{ op: 'remove', path: '/spec' }]],
      ['application/merge-patch+json', { spec: { replicas: 2 } }],
    ]);
    expect(server.requests[1]?.url.pathname).toMatch(/\/web\/scale$/);
  });

  test('create and update', async () => {
    const { client, server } = await plain(echo());
    await client.create(WIDGETS, WIDGET, { fieldManager: 'me' });
    await client.update(WIDGETS, WIDGET);
    expect(server.requests.map(({ method, url }) => `${method} ${url.pathname}${url.search}`)).toEqual([
      'POST /apis/example.com/v1/namespaces/shop/widgets?fieldManager=me',
      'PUT /apis/example.com/v1/namespaces/shop/widgets/web',
    ]);
  });

  test('a delete with preconditions distinguishes deleted objects from those being deleted', async () => {
    const going = { ...WIDGET, metadata: { ...WIDGET.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const answers: unknown[] = [{ kind: 'Status', status: 'Success' }, going, WIDGET];
    const { client, server } = await plain((_request, response) => {
      sendJson(response, answers.shift());
    });
    const preconditions = { uid: 'u', resourceVersion: '7' };
    const options = { preconditions, propagationPolicy: 'Foreground' as const, dryRun: true };
    await expect(client.delete(WIDGETS, KEY, options)).resolves.toBe(undefined);
    await expect(client.delete(WIDGETS, KEY)).resolves.toEqual(going);
    await expect(client.delete(WIDGETS, KEY)).resolves.toBe(undefined);
    expect(server.requests[0]).toMatchObject({
      method: 'DELETE',
      body: { preconditions, propagationPolicy: 'Foreground', dryRun: ['All'] },
    });
  });

  test('the version', async () => {
    const { client, server } = await plain((_request, response) => {
      sendJson(response, { gitVersion: 'v1.36.3' });
    });
    await expect(client.version()).resolves.toEqual({ gitVersion: 'v1.36.3' });
    expect(server.requests[0]?.url.pathname).toBe('/version');
  });

  test('only writes are refused while mayWrite returns false', async () => {
    let leading = false;
    const { client, server } = await plain(echo(), { mayWrite: () => leading });
    const refused = [
      client.apply(WIDGETS, WIDGET, { fieldManager: 'me' }),
      client.patch(WIDGETS, KEY, { type: 'merge', body: {} }),
      client.create(WIDGETS, WIDGET),
      client.update(WIDGETS, WIDGET),
      client.delete(WIDGETS, KEY),
    ];
    for (const write of refused) expect(await failure(write)).toMatchObject({ reason: 'NotLeader' });
    await client.get(WIDGETS, KEY);
    expect(server.requests).toHaveLength(1);
    leading = true;
    await client.update(WIDGETS, WIDGET);
    expect(server.requests).toHaveLength(2);
  });

  test('every request is recorded, including failed ones', async () => {
    const records: RequestRecord[] = [];
    const { client } = await plain(
      (request, response) => {
        if (request.method === 'GET') sendStatus(response, 404, 'NotFound');
        else response.destroy();
      },
      { onRequest: (record) => records.push(record) },
    );
    await failure(client.get(statusOf(WIDGETS), KEY));
    await failure(client.update(WIDGETS, WIDGET));
    expect(records).toEqual([
      { verb: 'get', resource: 'widgets/status', code: 404, seconds: expect.any(Number) as number },
      { verb: 'update', resource: 'widgets', code: 0, seconds: expect.any(Number) as number },
    ]);
  });
});

describe('lists', () => {
  const item = (name: string) => ({ metadata: { name, namespace: 'shop', uid: name, resourceVersion: '1' } });

  test('pages are combined, and items get their kind', async () => {
    const { client, server } = await plain(({ url }, response) => {
      const page = url.searchParams.has('continue')
        ? { metadata: { resourceVersion: '9' }, items: [item('b')] }
        : { metadata: { resourceVersion: '9', continue: 'next' }, items: [item('a')] };
      sendJson(response, page);
    });
    const all = await listAll(client, WIDGETS, { limit: 1, labelSelector: 'a=b' });
    expect(all).toEqual({
      resourceVersion: '9',
      items: ['a', 'b'].map((name) => ({ apiVersion: 'example.com/v1', kind: 'Widget', ...item(name) })),
    });
    expect(server.requests.map(({ url }) => url.search)).toEqual([
      '?labelSelector=a%3Db&limit=1',
      '?labelSelector=a%3Db&limit=1&continue=next',
    ]);
    expect(server.requests[0]?.url.pathname).toBe('/apis/example.com/v1/widgets');
  });

  test('an expired page causes one list without pages', async () => {
    const { client } = await plain(({ url }, response) => {
      if (url.searchParams.has('continue')) sendStatus(response, 410, 'Expired');
      else if (url.searchParams.has('limit'))
        sendJson(response, { metadata: { resourceVersion: '9', continue: 'next' }, items: [item('a')] });
      else sendJson(response, { metadata: { resourceVersion: '12' }, items: [item('b'), item('c')] });
    });
    const all = await listAll(client, WIDGETS, { limit: 1 });
    expect([all.resourceVersion, all.items.map(({ metadata }) => metadata.name)]).toEqual(['12', ['b', 'c']]);
  });
});

describe('errors', () => {
  test.each([
    [404, 'NotFound', isNotFound],
    [409, 'Conflict', isConflict],
    [409, 'AlreadyExists', isAlreadyExists],
    [410, 'Expired', isGone],
    [422, 'Invalid', isInvalid],
    [429, 'TooManyRequests', isTooManyRequests],
    [500, 'InternalError', isTransient],
    [503, 'ServiceUnavailable', isTransient],
  ])('%i %s', async (code, reason, guard) => {
    const { client } = await plain((_request, response) => {
      sendStatus(response, code, reason);
    });
    const error = await failure(client.get(WIDGETS, KEY));
    expect(error).toMatchObject({ code, reason, verb: 'get' });
    expect(error.path).toBe('/apis/example.com/v1/namespaces/shop/widgets/web');
    expect(guard(error)).toBe(true);
    expect(isTransient(error)).toBe(code === 429 || code >= 500);
    expect(isConflict(error)).toBe(reason === 'Conflict');
  });

  test('causes name the fields, Retry-After is kept', async () => {
    const causes = [{ reason: 'FieldManagerConflict', message: 'conflict with "x"', field: '.spec.size' }];
    const answers: Answer[] = [
      (_request, response) => {
        sendStatus(response, 409, 'Conflict', { details: { causes } });
      },
      (_request, response) => {
        sendJson(response, {}, 429, { 'retry-after': '7' });
      },
      (_request, response) => {
        sendStatus(response, 503, 'ServerTimeout', { details: { retryAfterSeconds: 3 } });
      },
    ];
    const { client } = await plain((request, response) => answers.shift()?.(request, response));
    expect((await failure(client.apply(WIDGETS, WIDGET, { fieldManager: 'me' }))).causes).toEqual(causes);
    expect((await failure(client.get(WIDGETS, KEY))).retryAfterSeconds).toBe(7);
    expect((await failure(client.get(WIDGETS, KEY))).retryAfterSeconds).toBe(3);
  });

  test('the time of the API server is learnt from answers, and not from refusals', async () => {
    const date = 'Thu, 01 Jan 2026 12:00:00 GMT';
    const seen: DatedAnswer[] = [];
    const { client } = await plain(
      ({ method }, response) => {
        response.setHeader('date', date);
        if (method === 'GET') sendJson(response, WIDGET);
        else sendStatus(response, 409, 'Conflict');
      },
      { clock: { onAnswer: (answer) => seen.push(answer) } },
    );
    const before = performance.now();
    await client.get(WIDGETS, KEY);
    await failure(client.create(WIDGETS, WIDGET));
    expect(seen).toMatchObject([{ date }]);
    const [{ sentAt, receivedAt }] = seen as [DatedAnswer];
    expect([before, sentAt, receivedAt, performance.now()].toSorted((a, b) => a - b)).toEqual([
      before,
      sentAt,
      receivedAt,
      expect.any(Number),
    ]);
  });

  test('a Retry-After with a date counts from the date of the answer', async () => {
    const { client } = await plain((_request, response) => {
      response.setHeader('date', 'Thu, 01 Jan 2026 12:00:00 GMT');
      sendJson(response, {}, 429, { 'retry-after': 'Thu, 01 Jan 2026 12:00:07 GMT' });
    });
    expect((await failure(client.get(WIDGETS, KEY))).retryAfterSeconds).toBe(7);
  });

  test('errors do not quote a Secret, a token or an unknown answer', async () => {
    const secret = 'cGFzc3dvcmQ=';
    const answers: Answer[] = [
      (_request, response) => {
        const details = { causes: [{ field: 'data[x]', reason: 'FieldValueInvalid', message: secret }] };
        sendStatus(response, 422, 'Invalid', { message: `Invalid value: ${secret}`, details });
      },
      (request, response) => {
        response.writeHead(502).end(`<html>${request.headers.authorization ?? ''}${secret}`);
      },
      (_request, response) => {
        response.writeHead(200).end(`{"data": ${secret}`);
      },
      (_request, response) => {
        response.destroy();
      },
    ];
    const { client } = await plain((request, response) => answers.shift()?.(request, response));
    const errors = [];
    while (answers.length > 0) errors.push(await failure(client.get(SECRETS, KEY)));
    expect(errors.map(({ reason }) => reason)).toEqual(['Invalid', 'BadGateway', 'BadResponse', 'ConnectionFailed']);
    expect(errors[0]?.causes).toEqual([{ field: 'data[x]', reason: 'FieldValueInvalid' }]);
    for (const error of errors) {
      const everything = JSON.stringify(error) + String(error.stack) + String(error.cause);
      expect(everything).not.toMatch(/cGFzc3|hush/);
    }
  });

  test('errors do not quote a failing exec plugin', async () => {
    const config = {
      ...testConfig('http://127.0.0.1:1'),
      applyToHTTPSOptions: () => Promise.reject(new SyntaxError('Unexpected token in "hush"')),
    };
    const error = await failure(connectTo(config).get(WIDGETS, KEY));
    expect(error).toMatchObject({ code: 0, reason: 'NoCredentials' });
    expect(error.message).not.toContain('hush');
  });

  test('an unreachable server', async () => {
    const server = await startTestServer(() => undefined);
    await server.close();
    const error = await failure(connectTo(testConfig(server.url)).get(WIDGETS, KEY));
    expect(error).toMatchObject({ code: 0, reason: 'ConnectionFailed' });
    expect(isTransient(error)).toBe(true);
  });

  test('a hanging server, a hanging answer, a hanging login', async () => {
    const { client } = await plain((request, response) => {
      if (request.url.pathname.endsWith('half')) response.writeHead(200).write('{');
    });
    const options = { timeoutMs: 50 };
    expect(await failure(client.get(WIDGETS, KEY, options))).toMatchObject({ code: 0, reason: 'ClientTimeout' });
    const half = client.get(WIDGETS, { ...KEY, name: 'half' }, options);
    expect(await failure(half)).toMatchObject({ reason: 'ClientTimeout' });
    const config = {
      ...testConfig('http://127.0.0.1:1'),
      applyToHTTPSOptions: () => new Promise<void>(() => undefined),
    };
    expect(await failure(connectTo(config).get(WIDGETS, KEY, options))).toMatchObject({ reason: 'ClientTimeout' });
  });

  test('an aborted request', async () => {
    const controller = new AbortController();
    const { client } = await plain(() => {
      controller.abort();
    });
    const error = await failure(client.get(WIDGETS, KEY, { signal: controller.signal }));
    expect(isAborted(error)).toBe(true);
    expect(isTransient(error)).toBe(false);
    expect(isAborted(await failure(client.get(WIDGETS, KEY, { signal: controller.signal })))).toBe(true);
  });
});

describe('credentials', () => {
  test('are loaded once for concurrent requests, and again after a 401', async () => {
    const tokens = ['old', 'new'];
    let asked = 0;
    const { url } = await serve(({ headers }, response) => {
      if (headers.authorization === 'Bearer new') sendJson(response, WIDGET);
      else sendStatus(response, 401, 'Unauthorized');
    });
    const client = connectTo({
      ...testConfig(url),
      applyToHTTPSOptions: (options) => {
        options.headers = { Authorization: `Bearer ${tokens[asked++] ?? ''}\n` };
        return Promise.resolve();
      },
    });
    const refused = await Promise.allSettled([client.get(WIDGETS, KEY), client.get(WIDGETS, KEY)]);
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(asked).toBe(1);
    await expect(client.get(WIDGETS, KEY)).resolves.toEqual(WIDGET);
    expect(asked).toBe(2);
  });
});

describe('watches', () => {
  test('events, bookmarks, and the end', async () => {
    const { client, server } = await plain((_request, response) => {
      sendEvent(response, 'ADDED', WIDGET);
      sendEvent(response, 'BOOKMARK', { metadata: { resourceVersion: '9' } });
      response.end();
    });
    await expect(collect(client.watch(WIDGETS, { ...WATCH, namespace: 'shop' }))).resolves.toEqual([
      { type: 'ADDED', object: WIDGET },
      { type: 'BOOKMARK', resourceVersion: '9' },
    ]);
    expect(server.requests[0]?.url.search).toBe(
      '?watch=true&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=300',
    );
  });

  test('an event may arrive in pieces', async () => {
    const line = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: { ...WIDGET, spec: { size: 'ü' } } })}\n`);
    const cut = line.indexOf('ü') + 1;
    const { client } = await plain(async (_request, response) => {
      await new Promise((resolve) => response.write(line.subarray(0, cut), resolve));
      response.end(line.subarray(cut));
    });
    expect(await collect(client.watch(WIDGETS, WATCH))).toMatchObject([{ object: { spec: { size: 'ü' } } }]);
  });

  test('410 as an answer and as an event', async () => {
    const answers: Answer[] = [
      (_request, response) => {
        sendStatus(response, 410, 'Expired');
      },
      (_request, response) => {
        sendEvent(response, 'ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
      },
    ];
    const { client } = await plain((request, response) => answers.shift()?.(request, response));
    expect(isGone(await failure(collect(client.watch(WIDGETS, WATCH))))).toBe(true);
    expect(isGone(await failure(collect(client.watch(WIDGETS, WATCH))))).toBe(true);
  });

  test('a dropped connection, a truncated event, silence', async () => {
    const answers: Answer[] = [
      (_request, response) => {
        sendEvent(response, 'ADDED', WIDGET);
        response.socket?.destroy();
      },
      (_request, response) => {
        response.end('{"type": "ADD');
      },
      (_request, response) => {
        sendEvent(response, 'ADDED', WIDGET);
      },
    ];
    const { client } = await plain((request, response) => answers.shift()?.(request, response));
    expect(await failure(collect(client.watch(WIDGETS, WATCH)))).toMatchObject({ reason: 'ConnectionFailed' });
    expect(await failure(collect(client.watch(WIDGETS, WATCH)))).toMatchObject({ reason: 'ConnectionFailed' });
    const silent = client.watch(WIDGETS, { ...WATCH, idleTimeoutMs: 50 });
    expect(await failure(collect(silent))).toMatchObject({ reason: 'ClientTimeout' });
  });

  test('the request ends when the reader stops, the signal aborts or the client closes', async () => {
    let ended = 0;
    let allEnded = (): void => undefined;
    const done = new Promise<void>((resolve) => (allEnded = resolve));
    const { client } = await plain((_request, response) => {
      response.on('close', () => {
        if (++ended === 3) allEnded();
      });
      sendEvent(response, 'ADDED', WIDGET);
    });
    for await (const event of client.watch(WIDGETS, WATCH)) {
      expect(event.type).toBe('ADDED');
      break;
    }
    const controller = new AbortController();
    const aborted = failure(
      (async () => {
        for await (const event of client.watch(WIDGETS, { ...WATCH, signal: controller.signal })) {
          if (event.type === 'ADDED') controller.abort();
        }
      })(),
    );
    expect(isAborted(await aborted)).toBe(true);
    const closed = failure(
      (async () => {
        for await (const event of client.watch(WIDGETS, WATCH)) if (event.type === 'ADDED') void client.close();
      })(),
    );
    expect(isAborted(await closed)).toBe(true);
    await done;
  });
});
