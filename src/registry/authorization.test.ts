// Anonymous, basic and bearer-token authentication.
import { afterEach, describe, expect, it } from 'vitest';
import { createRegistryClient } from './resolver.ts';
import type { RegistryClient } from './resolver.ts';
import {
  basicCredential,
  basicHeader,
  imageManifest,
  keyringFor,
  LOCAL,
  NO_PROXY,
  sendJson,
  sendManifest,
  sendStatus,
  useServers,
} from './testing.ts';
import type { Answer, TestServer } from './testing.ts';
import type { Credential, Resolution } from './types.ts';

const serve = useServers();
const clients: RegistryClient[] = [];
const image = imageManifest('app');
let time = 0;

afterEach(async () => {
  time = 0;
  for (const client of clients.splice(0)) await client.close();
});

interface World {
  readonly registry: TestServer;
  readonly tokens: TestServer;
  readonly resolve: (repository: string, ...credentials: Credential[]) => Promise<Resolution>;
}

/** A registry that accepts the token `good`, and its token server. */
async function startWorld(answerToken: Answer, allowed: 'both' | 'registry' = 'both'): Promise<World> {
  const tokens = await serve(answerToken);
  const registry = await serve((request, response) => {
    if (request.authorization === 'Bearer good') return sendManifest(image, request, response);
    const [, repository = ''] = /^\/v2\/(.*)\/manifests\//.exec(request.url.pathname) ?? [];
    const challenge = `Bearer realm="http://${tokens.host}/token",service="reg",scope="repository:${repository}:pull"`;
    const error = request.authorization === undefined ? '' : ',error="insufficient_scope"';
    return sendStatus(response, 401, { 'www-authenticate': challenge + error });
  });
  const hosts = allowed === 'both' ? [registry.host, tokens.host] : [registry.host];
  const client = createRegistryClient({
    insecureHosts: new Set(hosts),
    proxy: NO_PROXY,
    networks: LOCAL,
    now: () => time,
  });
  clients.push(client);
  return {
    registry,
    tokens,
    resolve: (repository, ...credentials) => {
      const keyring = keyringFor(registry.host, ...credentials);
      return client.resolveDigest(`${registry.host}/${repository}:1`, { keyring });
    },
  };
}

describe('bearer tokens', () => {
  it('are fetched anonymously, with the scope and service of the challenge', async () => {
    const { tokens, resolve } = await startWorld((_, response) => sendJson(response, { token: 'good' }));
    expect(await resolve('team/app')).toMatchObject({ kind: 'resolved', digest: image.digest });
    expect(tokens.requests).toMatchObject([{ method: 'GET', authorization: undefined }]);
    expect(Object.fromEntries(tokens.requests[0]?.url.searchParams ?? [])).toEqual({
      service: 'reg',
      scope: 'repository:team/app:pull',
    });
  });

  it('are fetched with a username and password, which the registry does not receive', async () => {
    const { registry, tokens, resolve } = await startWorld((_, response) =>
      sendJson(response, { access_token: 'good' }),
    );
    expect(await resolve('app', basicCredential('me', 'hunter2'))).toMatchObject({ kind: 'resolved' });
    expect(tokens.requests[0]?.authorization).toBe(basicHeader('me', 'hunter2'));
    expect(registry.requests.map(({ authorization }) => authorization)).toEqual([undefined, 'Bearer good']);
  });

  it('are fetched with an identity token by the OAuth2 refresh flow', async () => {
    const { tokens, resolve } = await startWorld((_, response) => sendJson(response, { access_token: 'good' }));
    const credential: Credential = { source: 's', type: 'identityToken', token: 'refresh&me' };
    expect(await resolve('app', credential)).toMatchObject({ kind: 'resolved' });
    expect(tokens.requests).toMatchObject([{ method: 'POST', authorization: undefined }]);
    expect(Object.fromEntries(new URLSearchParams(tokens.requests[0]?.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh&me',
      client_id: 'apprelease',
      service: 'reg',
      scope: 'repository:app:pull',
    });
    expect(tokens.requests[0]?.url.search).toBe('');
  });

  it('are sent unchanged if the docker config has one', async () => {
    const { tokens, resolve } = await startWorld((_, response) => sendStatus(response, 500));
    expect(await resolve('app', { source: 's', type: 'registryToken', token: 'good' })).toMatchObject({
      kind: 'resolved',
    });
    expect(tokens.requests).toEqual([]);
  });

  it.each([
    '{"token":"","access_token":"good"}',
    '{"token":null,"access_token":"good","expires_in":null}',
    '{"access_token":"good","expires_in":"300","issued_at":"2026-01-01T00:00:00Z"}',
  ])('are read from %s', async (body) => {
    const { tokens, resolve } = await startWorld((_, response) => response.writeHead(200).end(body));
    expect(await resolve('app')).toMatchObject({ kind: 'resolved' });
    time = 49_000;
    expect(await resolve('app')).toMatchObject({ kind: 'resolved' });
    expect(tokens.requests).toHaveLength(1);
  });

  it('are cached for their lifetime, per repository and credential', async () => {
    const { registry, tokens, resolve } = await startWorld((_, response) =>
      sendJson(response, { token: 'good', expires_in: 300 }),
    );
    await resolve('app');
    await resolve('app');
    expect(tokens.requests).toHaveLength(1);
    expect(registry.requests).toHaveLength(3);

    await resolve('other');
    await resolve('app', basicCredential('me', 'x'));
    await resolve('app', basicCredential('me', 'y'));
    expect(tokens.requests).toHaveLength(4);

    time = 289_000;
    await resolve('app');
    expect(tokens.requests).toHaveLength(4);
    time = 290_000;
    await resolve('app');
    expect(tokens.requests).toHaveLength(5);
  });

  it('are fetched again when the registry refuses a cached one', async () => {
    const { registry, tokens, resolve } = await startWorld((_, response) => sendJson(response, { token: 'good' }));
    await resolve('app');
    // The registry has revoked the token and refuses the next request with it.
    const [answer] = registry.server.listeners('request') as ((request: unknown, response: unknown) => void)[];
    registry.server.removeAllListeners('request');
    registry.server.once('request', (_, response) => {
      const challenge = `Bearer realm="http://${tokens.host}/token",error="invalid_token"`;
      sendStatus(response, 401, { 'www-authenticate': challenge });
      if (answer) registry.server.on('request', answer);
    });
    expect(await resolve('app')).toMatchObject({ kind: 'resolved' });
    expect(tokens.requests).toHaveLength(2);
    // Without a scope in the challenge, the client requests the scope for pulling.
    expect(tokens.requests[1]?.url.searchParams.get('scope')).toBe('repository:app:pull');
  });

  it('without the right give Forbidden with credentials, and Unauthorized without', async () => {
    const { resolve } = await startWorld((_, response) => sendJson(response, { token: 'poor' }));
    expect(await resolve('app', basicCredential('me', 'hunter2'))).toMatchObject({ reason: 'Forbidden' });
    expect(await resolve('app')).toMatchObject({ reason: 'Unauthorized' });
  });

  it('that were refused are not sent again', async () => {
    const { registry, resolve } = await startWorld((_, response) => sendJson(response, { token: 'poor' }));
    await resolve('app');
    await resolve('app');
    const shown = registry.requests.map(({ authorization }) => authorization);
    expect(shown).toEqual([undefined, 'Bearer poor', undefined, 'Bearer poor']);
  });
});

describe('a token server', () => {
  it.each([
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [404, 'InvalidResponse'],
    [429, 'TooManyRequests'],
    [500, 'RegistryUnavailable'],
  ])('that answers %d gives %s', async (status, reason) => {
    const { resolve } = await startWorld((_, response) => sendStatus(response, status, { 'retry-after': '9' }));
    expect(await resolve('app', basicCredential('me', 'hunter2'))).toMatchObject({ kind: 'failed', reason });
  });

  it('that refuses an identity token gives Unauthorized', async () => {
    const { resolve } = await startWorld((_, response) => sendJson(response, { error: 'invalid_grant' }, 400));
    expect(await resolve('app', { source: 's', type: 'identityToken', token: 't' })).toMatchObject({
      reason: 'Unauthorized',
    });
  });

  it.each(['', '{}', '{"token":""}', '{"token":7}', '[]'])('that answers %s gives InvalidResponse', async (body) => {
    const { resolve } = await startWorld((_, response) => response.writeHead(200).end(body));
    expect(await resolve('app')).toMatchObject({ kind: 'failed', reason: 'InvalidResponse' });
  });

  it('on plain HTTP gets no request unless its host is allowed', async () => {
    const { tokens, resolve } = await startWorld((_, response) => sendJson(response, { token: 'good' }), 'registry');
    const result = await resolve('app', basicCredential('me', 'hunter2'));
    expect(result).toMatchObject({ reason: 'TLS' });
    expect(result).toHaveProperty('message', expect.stringContaining(`${tokens.host}, the token server of`));
    expect(tokens.requests).toEqual([]);
  });

  it.each(['', 'realm="nowhere"', 'realm="ftp://x/token"'])('named by Bearer %s is not asked', async (parameters) => {
    const registry = await serve((_, response) =>
      sendStatus(response, 401, { 'www-authenticate': `Bearer ${parameters}` }),
    );
    const client = createRegistryClient({ insecureHosts: new Set([registry.host]), networks: LOCAL });
    clients.push(client);
    expect((await client.resolveDigest(`${registry.host}/app:1`)).kind).toBe('failed');
    expect(registry.requests).toHaveLength(1);
  });
});

describe("the operator's own credentials", () => {
  const own: Credential = { ...basicCredential('me', 'hunter2', "the operator's docker config"), isOperators: true };

  /** The registry and the token server have different host names, both of 127.0.0.1. */
  async function resolveWith(realmHost: string, tokenServers: readonly string[], token: string) {
    const tokens = await serve((_, response) => sendJson(response, { token }));
    const [, port = ''] = tokens.host.split(':');
    const registry = await serve((request, response) => {
      if (request.authorization === 'Bearer good') return sendManifest(image, request, response);
      return sendStatus(response, 401, { 'www-authenticate': `Bearer realm="http://${realmHost}:${port}/token"` });
    });
    const host = `registry.corp.example:${registry.host.split(':')[1] ?? ''}`;
    const client = createRegistryClient({
      insecureHosts: new Set([host, `${realmHost}:${port}`]),
      proxy: NO_PROXY,
      networks: LOCAL,
      resolveHost: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
      tokenServers,
    });
    clients.push(client);
    const result = await client.resolveDigest(`${host}/app:1`, { keyring: keyringFor(host, own) });
    return { result, shown: tokens.requests.map(({ authorization }) => authorization) };
  }

  it.each([
    ['auth.corp.example', [], basicHeader('me', 'hunter2')],
    ['sso.other.example', ['sso.other.example'], basicHeader('me', 'hunter2')],
    ['sso.other.example', [], undefined],
  ])('and the token server %s with the list %j: it gets %s', async (realmHost, listed, authorization) => {
    const { result, shown } = await resolveWith(realmHost, listed, 'good');
    expect(result).toMatchObject({ kind: 'resolved' });
    expect(shown).toEqual([authorization]);
  });

  it('that are withheld explain the failure', async () => {
    const { result, shown } = await resolveWith('sso.other.example', [], 'poor');
    expect(shown).toEqual([undefined]);
    expect(result).toMatchObject({ reason: 'Unauthorized' });
    expect(result).toHaveProperty('message', expect.stringMatching(/sso\.other\.example.*--registry-token-server/));
  });
});
