// Behaviour of real registries, as their users report it.
import { describe, expect, it } from 'vitest';
import {
  basicCredential,
  basicHeader,
  imageManifest,
  keyringFor,
  NO_PROXY,
  sendJson,
  sendManifest,
  sendStatus,
  storeManifest,
  useClients,
  useServers,
} from './testing.ts';

const serve = useServers();
const connectTo = useClients();
const image = imageManifest('app');

describe('a registry that answers 404 or 403 to anonymous requests', () => {
  it.each([404, 403])('still gets the credentials (%d, Basic)', async (status) => {
    const registry = await serve((request, response) => {
      if (request.authorization === basicHeader('me', 'secret')) return sendManifest(image, request, response);
      if (request.url.pathname !== '/v2/') return sendStatus(response, status);
      return sendStatus(response, 401, { 'www-authenticate': 'Basic realm="Artifactory Realm"' });
    });
    const client = connectTo([registry]);
    const keyring = keyringFor(registry.host, basicCredential('me', 'secret'));
    expect(await client.resolveDigest(`${registry.host}/app:1`, { keyring })).toMatchObject({ kind: 'resolved' });
    expect(registry.requests.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
      'HEAD /v2/app/manifests/1',
      'GET /v2/',
      'HEAD /v2/app/manifests/1',
    ]);
    expect(await client.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'failed' });
    expect(registry.requests).toHaveLength(4);
  });

  it('is asked for a token for the image, not for the example in its challenge', async () => {
    const tokens = await serve((_, response) => sendJson(response, { token: 'good' }));
    const registry = await serve((request, response) => {
      if (request.authorization === 'Bearer good') return sendManifest(image, request, response);
      if (request.url.pathname !== '/v2/') return sendStatus(response, 404);
      const challenge = `Bearer realm="http://${tokens.host}/token",service="r",scope="repository:user/image:pull"`;
      return sendStatus(response, 401, { 'www-authenticate': challenge });
    });
    const keyring = keyringFor(registry.host, basicCredential('me', 'secret'));
    const result = await connectTo([registry, tokens]).resolveDigest(`${registry.host}/team/app:1`, { keyring });
    expect(result).toMatchObject({ kind: 'resolved' });
    expect(tokens.requests[0]?.url.searchParams.get('scope')).toBe('repository:team/app:pull');
  });

  it('but never asks for credentials does not have the image', async () => {
    const registry = await serve((request, response) =>
      sendStatus(response, request.url.pathname === '/v2/' ? 200 : 404),
    );
    const keyring = keyringFor(registry.host, basicCredential('me', 'secret'));
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`, { keyring });
    expect(result).toMatchObject({ reason: 'NotFound' });
    expect(registry.requests.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
  });
});

it('the message for a 403 mentions expired credentials', async () => {
  const registry = await serve((request, response) =>
    request.authorization === undefined
      ? sendStatus(response, 401, { 'www-authenticate': 'Basic realm="ecr"' })
      : sendStatus(response, 403),
  );
  const keyring = keyringFor(registry.host, basicCredential('AWS', 'old'));
  const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`, { keyring });
  expect(result).toMatchObject({ reason: 'Forbidden' });
  expect(result).toHaveProperty('message', expect.stringContaining('Secret shop/regcred, which may have expired'));
});

it('a login page is no image, and the message says what to check', async () => {
  const registry = await serve((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(request.method === 'HEAD' ? undefined : '<!doctype html><title>Sign in</title>');
  });
  const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
  expect(result).toMatchObject({ reason: 'InvalidResponse' });
  expect(result).toHaveProperty('message', expect.stringMatching(/a web page.*check the host name.*login page/));
});

it('a gateway timeout (408) is an outage', async () => {
  const registry = await serve((_, response) => sendStatus(response, 408));
  const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
  expect(result).toMatchObject({ reason: 'RegistryUnavailable', retryable: true });
});

it('an index with several versions of Windows keeps the digest of each', async () => {
  const digests = ['ltsc2019', 'ltsc2022', 'linux'].map((name) => imageManifest(name).digest);
  const platforms = [
    { os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763.6293' },
    { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.2700' },
    { os: 'linux', architecture: 'amd64' },
  ];
  const index = storeManifest({
    mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifests: platforms.map((platform, n) => ({ digest: digests[n], platform })),
  });
  const registry = await serve((request, response) => sendManifest(index, request, response));
  expect(await connectTo([registry]).resolveDigest(`${registry.host}/app:1`)).toMatchObject({
    platforms: [
      { platform: 'windows(10.0.17763.6293)/amd64', digest: digests[0] },
      { platform: 'windows(10.0.20348.2700)/amd64', digest: digests[1] },
      { platform: 'linux/amd64', digest: digests[2] },
    ],
  });
});

it.each([
  ['nginx', '/v2/library/nginx/manifests/latest'],
  ['bitnami/redis:7', '/v2/bitnami/redis/manifests/7'],
  ['docker.io/nginx:1.27', '/v2/library/nginx/manifests/1.27'],
  ['index.docker.io/library/nginx:1.27', '/v2/library/nginx/manifests/1.27'],
])('%s is asked for at Docker Hub, with the credentials for index.docker.io', async (name, path) => {
  const hub = 'registry-1.docker.io';
  const proxy = await serve((request, response) => {
    if (request.authorization !== undefined) return sendManifest(image, request, response);
    return sendStatus(response, 401, { 'www-authenticate': 'Basic realm="hub"' });
  });
  const config = { insecureHosts: new Set([hub]), proxy: { ...NO_PROXY, httpProxy: `http://${proxy.host}` } };
  const keyring = keyringFor('https://index.docker.io/v1/', basicCredential('me', 'secret'));
  const result = await connectTo([], config).resolveDigest(name, { keyring });
  expect(result).toMatchObject({ kind: 'resolved', pinned: `${name}@${image.digest}` });
  expect(proxy.requests.map(({ url, authorization }) => [url.href, authorization])).toEqual([
    [`http://${hub}${path}`, undefined],
    [`http://${hub}${path}`, basicHeader('me', 'secret')],
  ]);
});
