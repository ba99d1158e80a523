// A reference resolves to a digest, or to a failure that says what to do.
import { describe, expect, it } from 'vitest';
import { createKeyring } from './credentials.ts';
import {
  basicCredential,
  imageManifest,
  keyringFor,
  sendJson,
  sendManifest,
  sendStatus,
  storeManifest,
  useClients,
  useServers,
} from './testing.ts';
import type { TestServer } from './testing.ts';
import type { RegistryRequestEvent } from './types.ts';

const serve = useServers();
const connectTo = useClients();

const image = imageManifest('app');
const amd64 = imageManifest('amd64').digest;
const arm64 = imageManifest('arm64').digest;
const attestation = imageManifest('attestation').digest;
const index = storeManifest({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.index.v1+json',
  manifests: [
    { digest: amd64, size: 1, platform: { os: 'linux', architecture: 'amd64' } },
    { digest: arm64, size: 1, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    { digest: attestation, size: 1, platform: { os: 'unknown', architecture: 'unknown' } },
  ],
});

function methods({ requests }: TestServer): string[] {
  return requests.map(({ method }) => method);
}

describe('a registry that answers', () => {
  it('is asked once, by HEAD, for a single manifest', async () => {
    const events: RegistryRequestEvent[] = [];
    const registry = await serve((request, response) => sendManifest(image, request, response));
    const client = connectTo([registry], { onRequest: (event) => events.push(event) });
    expect(await client.resolveDigest(`${registry.host}/team/app:1`)).toEqual({
      kind: 'resolved',
      pinned: `${registry.host}/team/app:1@${image.digest}`,
      digest: image.digest,
      mediaType: image.mediaType,
      platforms: [{ digest: image.digest }],
    });
    expect(registry.requests).toHaveLength(1);
    expect(registry.requests[0]).toMatchObject({ method: 'HEAD', authorization: undefined });
    expect(registry.requests[0]?.url.pathname).toBe('/v2/team/app/manifests/1');
    expect(registry.requests[0]?.accept?.split(', ')).toEqual([
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.oci.image.manifest.v1+json',
      'application/vnd.docker.distribution.manifest.v2+json',
    ]);
    expect(events).toMatchObject([{ registry: registry.host, operation: 'head', outcome: 200 }]);
  });

  it.each(['application/vnd.oci.image.index.v1+json', 'application/vnd.docker.distribution.manifest.list.v2+json'])(
    'keeps the digest of an index (%s) and its platforms',
    async (mediaType) => {
      const stored = storeManifest({ ...(JSON.parse(index.body) as object), mediaType });
      const registry = await serve((request, response) => sendManifest(stored, request, response));
      expect(await connectTo([registry]).resolveDigest(`${registry.host}/app`)).toMatchObject({
        digest: stored.digest,
        pinned: `${registry.host}/app@${stored.digest}`,
        mediaType,
        platforms: [
          { platform: 'linux/amd64', digest: amd64 },
          { platform: 'linux/arm64/v8', digest: arm64 },
        ],
      });
      expect(registry.requests.map(({ method, url }) => `${method} ${url.pathname}`)).toEqual([
        'HEAD /v2/app/manifests/latest',
        `GET /v2/app/manifests/${stored.digest}`,
      ]);
    },
  );

  it('is not asked for an image by digest, or for an invalid reference', async () => {
    const registry = await serve((_, response) => sendStatus(response, 500));
    const client = connectTo([registry]);
    const given = `${registry.host}/app:1@${image.digest}`;
    expect(await client.resolveDigest(given)).toEqual({
      kind: 'resolved',
      pinned: given,
      digest: image.digest,
      platforms: [],
    });
    expect(await client.resolveDigest(`${registry.host}/App`)).toMatchObject({
      reason: 'InvalidReference',
      retryable: false,
    });
    expect(registry.requests).toEqual([]);
  });

  it.each([400, 405, 501])('without HEAD (%d) is asked with GET, and the digest is computed', async (status) => {
    const registry = await serve((request, response) => {
      if (request.method === 'HEAD') sendStatus(response, status);
      else response.writeHead(200, { 'content-type': image.mediaType }).end(image.body);
    });
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ kind: 'resolved', digest: image.digest, platforms: [{ digest: image.digest }] });
    expect(methods(registry)).toEqual(['HEAD', 'GET']);
  });

  it('without Docker-Content-Digest is asked with GET, and the digest is computed', async () => {
    const registry = await serve((request, response) => {
      response.writeHead(200, { 'content-type': `${index.mediaType}; charset=utf-8` });
      response.end(request.method === 'HEAD' ? undefined : index.body);
    });
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ kind: 'resolved', digest: index.digest, mediaType: index.mediaType });
  });

  it('with a digest that does not match its manifest is not trusted', async () => {
    const wrong = { ...index, digest: amd64 };
    const registry = await serve((request, response) => sendManifest(wrong, request, response));
    expect(await connectTo([registry]).resolveDigest(`${registry.host}/app:1`)).toMatchObject({
      kind: 'failed',
      reason: 'DigestMismatch',
      retryable: true,
    });
  });

  it.each([
    ['schema 1', 'application/vnd.docker.distribution.manifest.v1+prettyjws', '{"schemaVersion":1,"fsLayers":[]}'],
    ['no JSON', image.mediaType, 'hello'],
    ['a manifest that is also an index', '', '{"manifests":[],"config":{},"layers":[]}'],
    ['another type than it declares', image.mediaType, JSON.stringify({ ...JSON.parse(image.body), mediaType: 'x' })],
  ])('with %s gives no digest', async (_, mediaType, body) => {
    const registry = await serve((request, response) => {
      response.writeHead(200, { 'content-type': mediaType }).end(request.method === 'HEAD' ? undefined : body);
    });
    expect(await connectTo([registry]).resolveDigest(`${registry.host}/app:1`)).toMatchObject({
      kind: 'failed',
      reason: 'Unsupported',
    });
  });

  it('with a huge body is not read completely', async () => {
    const registry = await serve((request, response) => {
      if (request.method === 'HEAD') return sendStatus(response, 405);
      response.writeHead(200, { 'content-type': image.mediaType });
      const chunk = Buffer.alloc(64 * 1024, ' ');
      const write = () => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on('drain', write);
      write();
    });
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'InvalidResponse', message: expect.stringContaining('4 MiB') as string });
  });
});

describe('a registry that refuses', () => {
  it.each([
    [401, 'Unauthorized', 'imagePullSecrets in the template or on its service account'],
    [403, 'Forbidden', "the operator's docker config"],
    [404, 'NotFound', 'check name and tag'],
    [418, 'InvalidResponse', 'answered 418'],
    [429, 'TooManyRequests', 'limits the rate'],
    [500, 'RegistryUnavailable', 'unavailable (500)'],
    [503, 'RegistryUnavailable', 'unavailable (503)'],
  ])('with %d gives %s', async (status, reason, message) => {
    const registry = await serve((_, response) => sendStatus(response, status));
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ kind: 'failed', reason, retryable: true });
    expect(result).toHaveProperty('message', expect.stringContaining(message));
    expect(result).toHaveProperty('message', expect.stringContaining(`${registry.host}/app:1`));
    expect(result).not.toHaveProperty('retryAfterSeconds');
  });

  it.each([
    [429, '17', 17],
    [503, '3', 3],
    [429, 'soon', undefined],
  ])('with %d and Retry-After %s gives %s seconds', async (status, retryAfter, seconds) => {
    const registry = await serve((_, response) => sendStatus(response, status, { 'retry-after': retryAfter }));
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ kind: 'failed' });
    expect((result as { retryAfterSeconds?: number }).retryAfterSeconds).toBe(seconds);
  });

  it('a Retry-After with a date counts from the date of the answer', async () => {
    const headers = { date: 'Thu, 01 Jan 2026 12:00:00 GMT', 'retry-after': 'Thu, 01 Jan 2026 12:00:07 GMT' };
    const registry = await serve((_, response) => sendStatus(response, 429, headers));
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ retryAfterSeconds: 7 });
  });

  it('names the tried credentials and the missing ones, but no secret value', async () => {
    const registry = await serve((_, response) =>
      sendStatus(response, 401, { 'www-authenticate': 'Basic realm="hunter2"' }),
    );
    const entries = [{ location: registry.host, credential: basicCredential('me', 'hunter2') }];
    const keyring = createKeyring(entries, ['Secret shop/gone does not exist']);
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`, { keyring });
    expect(result).toMatchObject({ reason: 'Unauthorized' });
    expect(result).toHaveProperty('message', expect.stringMatching(/Secret shop\/regcred.*Secret shop\/gone does not/));
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });
});

describe('a registry that cannot be reached', () => {
  it('is down', async () => {
    const registry = await serve(() => undefined);
    registry.server.close();
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'RegistryUnavailable', retryable: true });
  });

  it('breaks the connection', async () => {
    const registry = await serve((_, response) => response.destroy());
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'RegistryUnavailable' });
  });

  it.each([
    ['before its headers', false],
    ['within its body', true],
  ])('hangs %s', async (_, withHeaders) => {
    const registry = await serve((request, response) => {
      if (request.method === 'HEAD') return withHeaders ? sendStatus(response, 405) : undefined;
      response.writeHead(200).write('{');
    });
    const result = await connectTo([registry], { requestTimeoutMs: 100 }).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'RegistryUnavailable', retryable: true });
  });

  it('takes too long in total', async () => {
    const registry = await serve(() => undefined);
    const client = connectTo([registry], { requestTimeoutMs: 600_000, totalTimeoutMs: 100 });
    expect(await client.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ reason: 'RegistryUnavailable' });
  });

  it('is cancelled when the caller stops', async () => {
    const controller = new AbortController();
    const registry = await serve(() => {
      controller.abort();
    });
    const { signal } = controller;
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`, { signal });
    expect(result).toMatchObject({ reason: 'Aborted' });
  });
});

describe('redirects', () => {
  it('are followed, without credentials to another host', async () => {
    const mirror = await serve((request, response) => sendManifest(image, request, response));
    const registry = await serve((request, response) => {
      if (request.authorization === undefined) {
        return sendStatus(response, 401, { 'www-authenticate': 'Basic realm="r"' });
      }
      const target = request.url.pathname.endsWith('/moved') ? `http://${mirror.host}/elsewhere` : 'moved';
      return sendStatus(response, 307, { location: target });
    });
    const keyring = keyringFor(registry.host, basicCredential('me', 'hunter2'));
    const client = connectTo([registry, mirror]);
    const result = await client.resolveDigest(`${registry.host}/app:1`, { keyring });
    expect(result).toMatchObject({ kind: 'resolved', digest: image.digest });
    expect(registry.requests.map(({ authorization }) => authorization !== undefined)).toEqual([false, true, true]);
    expect(mirror.requests).toMatchObject([{ method: 'HEAD', authorization: undefined }]);
  });

  it('get no credentials for a challenge of another host', async () => {
    const challenge = { 'www-authenticate': 'Basic realm="r"' };
    const thief = await serve((_, response) => sendStatus(response, 401, challenge));
    const registry = await serve((_, response) => sendStatus(response, 307, { location: `http://${thief.host}/x` }));
    const keyring = keyringFor(registry.host, basicCredential('me', 'hunter2'));
    const result = await connectTo([registry, thief]).resolveDigest(`${registry.host}/app:1`, { keyring });
    expect(result).toMatchObject({ reason: 'Unauthorized' });
    expect([...registry.requests, ...thief.requests].map(({ authorization }) => authorization)).toEqual([
      undefined,
      undefined,
    ]);
  });

  it('to plain HTTP are not followed unless allowed', async () => {
    const other = await serve((request, response) => sendManifest(image, request, response));
    const registry = await serve((_, response) => sendStatus(response, 302, { location: `http://${other.host}/x` }));
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'TLS' });
    expect(other.requests).toEqual([]);
  });

  it('are limited in number', async () => {
    const registry = await serve((_, response) => sendStatus(response, 302, { location: '/v2/again' }));
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'InvalidResponse' });
    expect(registry.requests).toHaveLength(6);
  });
});

describe('several credentials', () => {
  it('are tried in order until one is accepted', async () => {
    const registry = await serve((request, response) => {
      if (request.authorization === undefined) {
        return sendStatus(response, 401, { 'www-authenticate': 'Basic realm="r"' });
      }
      const [, password = ''] = Buffer.from(request.authorization.slice(6), 'base64').toString().split(':');
      if (password === 'good') return sendManifest(image, request, response);
      return sendStatus(response, password === 'unseen' ? 404 : 403);
    });
    const passwords = ['bad', 'unseen', 'good', 'never'].map((password) => basicCredential('me', password));
    const keyring = keyringFor(registry.host, ...passwords);
    const client = connectTo([registry]);
    expect(await client.resolveDigest(`${registry.host}/app:1`, { keyring })).toMatchObject({ kind: 'resolved' });
    expect(registry.requests.filter(({ authorization }) => authorization !== undefined)).toHaveLength(3);

    const refused = keyringFor(registry.host, ...passwords.slice(0, 2), basicCredential('me', 'bad', 'Secret x/y'));
    const failure = await client.resolveDigest(`${registry.host}/other:1`, { keyring: refused });
    expect(failure).toMatchObject({ reason: 'NotFound' });
    expect(failure).toHaveProperty('message', expect.stringContaining('Secret shop/regcred, Secret x/y'));
  });

  it('are not tried further when the registry is down', async () => {
    const registry = await serve((_, response) => sendStatus(response, 503));
    const keyring = keyringFor(registry.host, basicCredential('a', 'a'), basicCredential('b', 'b'));
    await connectTo([registry]).resolveDigest(`${registry.host}/app:1`, { keyring });
    expect(registry.requests).toHaveLength(1);
  });
});

it('a registry API error in JSON is reported only with its status', async () => {
  const registry = await serve((_, response) => sendJson(response, { errors: [{ message: 'hunter2' }] }, 404));
  const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
  expect(result).toMatchObject({ reason: 'NotFound' });
  expect(JSON.stringify(result)).not.toContain('hunter2');
});
