// Digests from the real registry, with every kind of authentication, and while it is down.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createDigestResolver } from '../../src/registry/digest-resolver.ts';
import { createDockerConfigFile, createKeyring } from '../../src/registry/credentials.ts';
import { createCredentialLoader } from '../../src/registry/pull-secrets.ts';
import type { PullSecret, PullServiceAccount } from '../../src/registry/pull-secrets.ts';
import { createRegistryClient } from '../../src/registry/resolver.ts';
import type { RegistryClient, RegistryClientConfig } from '../../src/registry/resolver.ts';
import type { Credential, DigestRequest, DigestResolver, Keyring, Lookup } from '../../src/registry/types.ts';
import { pushImage } from '../cluster/images.ts';
import { startRegistry } from '../cluster/registry.ts';
import { startTokenServer } from '../cluster/token-server.ts';
import type { PushedImage, Registry, TokenServer } from '../cluster/types.ts';
import { ownCluster } from './own-cluster.ts';

const cluster = ownCluster();
const namespace = 'registry-test';
const direct = { httpProxy: '', httpsProxy: '', noProxy: '' };
const clients: RegistryClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

function clientOf(insecureHosts: readonly string[], config: RegistryClientConfig = {}): RegistryClient {
  const networks = { allow: ['127.0.0.0/8'] };
  const client = createRegistryClient({ insecureHosts: new Set(insecureHosts), proxy: direct, networks, ...config });
  clients.push(client);
  return client;
}

function keyring(host: string, username: string, password: string): Keyring {
  const credential: Credential = { source: 'the test', type: 'basic', username, password };
  return createKeyring([{ location: host, credential }]);
}

describe('without authentication', () => {
  let registry: Registry;

  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry.stop());

  test('a single manifest and an index are pinned', async () => {
    const client = clientOf([registry.host]);
    const single = await pushImage(registry, 'shop/single', '1.0');
    expect(await client.resolveDigest(single.image)).toEqual({
      kind: 'resolved',
      pinned: single.pinned,
      digest: single.digest,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      platforms: [{ digest: single.digest }],
    });

    const platforms = ['linux/amd64', 'linux/arm64'];
    const index = await pushImage(registry, 'shop/index', '1.0', { platforms });
    expect(await client.resolveDigest(index.image)).toEqual({
      kind: 'resolved',
      pinned: index.pinned,
      digest: index.digest,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      platforms: platforms.map((platform) => ({ platform, digest: index.manifests[platform] })),
    });
  });

  test('a moved tag has another digest', async () => {
    const client = clientOf([registry.host]);
    const before = await pushImage(registry, 'shop/moving', '1.0', { content: 'before' });
    expect(await client.resolveDigest(before.image)).toMatchObject({ digest: before.digest });
    const after = await pushImage(registry, 'shop/moving', '1.0', { content: 'after' });
    expect(after.digest).not.toBe(before.digest);
    expect(await client.resolveDigest(before.image)).toMatchObject({ digest: after.digest });
  });

  test.each(['shop/single:no-such-tag', 'no/such/repository:1.0'])('%s is not found', async (image) => {
    const client = clientOf([registry.host]);
    expect(await client.resolveDigest(`${registry.host}/${image}`)).toMatchObject({ reason: 'NotFound' });
  });

  test('a hanging registry and a stopped one are unavailable, and a restarted one resolves', async () => {
    const client = clientOf([registry.host], { requestTimeoutMs: 500 });
    const { image, digest } = await pushImage(registry, 'shop/away', '1.0');
    process.kill(registry.pid() ?? NaN, 'SIGSTOP');
    try {
      // It may still answer requests that arrived before its last thread stopped.
      await vi.waitFor(async () => {
        expect(await client.resolveDigest(image)).toMatchObject({ reason: 'RegistryUnavailable', retryable: true });
      }, 10_000);
    } finally {
      process.kill(registry.pid() ?? NaN, 'SIGCONT');
    }
    await registry.kill();
    expect(await client.resolveDigest(image)).toMatchObject({ reason: 'RegistryUnavailable', retryable: true });
    await registry.restart();
    expect(await clientOf([registry.host]).resolveDigest(image)).toMatchObject({ digest });
  });
});

describe('over TLS', () => {
  test('the registry is trusted only with the CA bundle', async () => {
    const { dir } = ownCluster();
    const tls = { certFile: join(dir, 'certs/apiserver.crt'), keyFile: join(dir, 'certs/apiserver.key') };
    const registry = await startRegistry({ tls });
    try {
      const { image, digest } = await pushImage(registry, 'shop/app', '1.0');
      expect(await clientOf([]).resolveDigest(image)).toMatchObject({ reason: 'RegistryUnavailable' });
      expect(await clientOf([registry.host]).resolveDigest(image)).toMatchObject({ kind: 'failed' });
      const caBundle = await readFile(registry.caFile ?? '', 'utf8');
      expect(await clientOf([], { caBundle }).resolveDigest(image)).toMatchObject({ kind: 'resolved', digest });
    } finally {
      await registry.stop();
    }
  });
});

describe('with bearer tokens', () => {
  let tokens: TokenServer;
  let registry: Registry;
  let pushed: PushedImage;

  beforeAll(async () => {
    tokens = await startTokenServer();
    registry = await startRegistry({ auth: { token: tokens } });
    pushed = await pushImage(registry, 'shop/app', '1.0');
  });
  afterAll(async () => {
    await registry.stop();
    await tokens.stop();
  });

  test('one token serves several resolutions in a repository', async () => {
    const client = clientOf([registry.host, new URL(tokens.realm).host]);
    const options = { keyring: keyring(registry.host, tokens.user, tokens.password) };
    const before = tokens.issued();
    expect(await client.resolveDigest(pushed.image, options)).toMatchObject({ digest: pushed.digest });
    expect(await client.resolveDigest(pushed.image, options)).toMatchObject({ digest: pushed.digest });
    expect(await client.resolveDigest(`${registry.host}/shop/app:2`, options)).toMatchObject({ reason: 'NotFound' });
    expect(tokens.issued() - before).toBe(1);
  });

  test('wrong and missing credentials are Unauthorized', async () => {
    const client = clientOf([registry.host, new URL(tokens.realm).host]);
    const wrong = { keyring: keyring(registry.host, tokens.user, 'wrong') };
    expect(await client.resolveDigest(pushed.image, wrong)).toMatchObject({ reason: 'Unauthorized' });
    expect(await client.resolveDigest(pushed.image)).toMatchObject({ reason: 'Unauthorized' });
  });
});

describe('in the background, with the pull secrets of a namespace', () => {
  const user = 'puller';
  const password = 'correct horse';
  let registry: Registry;
  let pushed: PushedImage;
  let folder: string;
  let resolver: DigestResolver | undefined;

  beforeAll(async () => {
    registry = await startRegistry({ auth: { htpasswd: { user, password } } });
    pushed = await pushImage(registry, 'shop/private', '1.0', { platforms: ['linux/amd64', 'linux/arm64'] });
    // It is removed with the cluster, however the test ends.
    folder = await mkdtemp(join(cluster.dir, 'registry-test-'));
    await cluster.kubectl(['create', 'namespace', namespace]);
    await createPullSecret('good', password);
    await createPullSecret('bad', 'wrong');
    await createServiceAccount('puller', 'good');
  });
  afterEach(() => resolver?.stop());
  afterAll(async () => {
    await cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']);
    await registry.stop();
  });

  async function createPullSecret(name: string, secret: string): Promise<void> {
    const login = [`--docker-username=${user}`, `--docker-password=${secret}`];
    const server = `--docker-server=http://${registry.host}`;
    await kubectl('create', 'secret', 'docker-registry', name, server, ...login);
  }

  async function createServiceAccount(name: string, secret: string): Promise<void> {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
    const imagePullSecrets = [{ name: secret }];
    await cluster.kubectl(['create', '-f', '-'], { input: JSON.stringify({ ...account, imagePullSecrets }) });
  }

  function kubectl(...args: string[]): Promise<string> {
    return cluster.kubectl([`--namespace=${namespace}`, ...args]);
  }

  function getObject<T>(kind: string) {
    return async (_: string, name: string): Promise<T | undefined> => {
      const json = await kubectl('get', kind, name, '--ignore-not-found', '--output=json');
      return json.trim() === '' ? undefined : (JSON.parse(json) as T);
    };
  }

  function startResolver(config: { readonly dockerConfig?: string; readonly recheckIntervalMs?: number } = {}) {
    const { dockerConfig, recheckIntervalMs = 0 } = config;
    const changes: string[] = [];
    resolver = createDigestResolver({
      resolve: clientOf([registry.host]).resolveDigest,
      loadCredentials: createCredentialLoader(
        getObject<PullSecret>('secret'),
        getObject<PullServiceAccount>('serviceaccount'),
        dockerConfig === undefined ? undefined : createDockerConfigFile(dockerConfig),
      ),
      onChange: (key) => changes.push(key),
      recheckIntervalMs,
    });
    return { resolver, changes };
  }

  /** Waits for the answer for a pod spec. */
  async function answerFor(podSpec: DigestRequest['podSpec'], dockerConfig?: string): Promise<Lookup> {
    const { resolver, changes } = startResolver(dockerConfig === undefined ? {} : { dockerConfig });
    const request = { key: 'registry-test/web', image: pushed.image, namespace, podSpec };
    expect(resolver.lookup(request)).toEqual({ state: 'pending' });
    await vi.waitFor(
      () => {
        expect(changes).toContain(request.key);
      },
      { timeout: 30_000 },
    );
    return resolver.lookup(request);
  }

  test("the template's pull secret works, also after a wrong one", async () => {
    expect(await answerFor({ imagePullSecrets: [{ name: 'bad' }, { name: 'good' }] })).toEqual({
      state: 'resolved',
      pinned: pushed.pinned,
      digest: pushed.digest,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      platforms: Object.entries(pushed.manifests).map(([platform, digest]) => ({ platform, digest })),
    });
  });

  test("the service account's pull secret works", async () => {
    const podSpec = { serviceAccountName: 'puller' };
    expect(await answerFor(podSpec)).toMatchObject({ state: 'resolved', digest: pushed.digest });
  });

  test("the operator's docker config works", async () => {
    const path = join(folder, 'config.json');
    const auth = Buffer.from(`${user}:${password}`).toString('base64');
    await writeFile(path, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    expect(await answerFor({}, path)).toMatchObject({ state: 'resolved', digest: pushed.digest });
  });

  test('the message names wrong and missing secrets', async () => {
    const lookup = await answerFor({ imagePullSecrets: [{ name: 'gone' }, { name: 'bad' }] });
    expect(lookup).toMatchObject({ state: 'failed', reason: 'Unauthorized', retryable: true });
    expect(lookup).toHaveProperty('retryAt', expect.any(Number));
    expect(lookup).toHaveProperty('message', expect.stringContaining('asked with Secret registry-test/bad'));
    expect(lookup).toHaveProperty('message', expect.stringContaining('Secret registry-test/gone does not exist'));
  });

  test('the resolver asks a registry that is back again', async () => {
    const { resolver, changes } = startResolver();
    const podSpec = { serviceAccountName: 'puller' };
    const request = { key: 'registry-test/late', image: pushed.image, namespace, podSpec };
    await registry.kill();
    resolver.lookup(request);
    await vi.waitFor(
      () => {
        expect(changes).toHaveLength(1);
      },
      { timeout: 30_000 },
    );
    expect(resolver.lookup(request)).toMatchObject({ state: 'failed', reason: 'RegistryUnavailable' });
    await registry.restart();
    const isResolved = () => {
      expect(resolver.lookup(request)).toMatchObject({ digest: pushed.digest });
    };
    await vi.waitFor(isResolved, { timeout: 60_000, interval: 100 });
  });

  test('the resolver detects a moved tag', async () => {
    const { resolver, changes } = startResolver({ recheckIntervalMs: 200 });
    const before = await pushImage(registry, 'shop/moving', '1.0', { content: 'before' });
    const podSpec = { serviceAccountName: 'puller' };
    const request = { key: 'registry-test/moving', image: before.image, namespace, podSpec };
    const state = () => resolver.recheck(request, before.digest);
    await vi.waitFor(
      () => {
        expect(state()).toMatchObject({ state: 'same' });
      },
      { timeout: 30_000 },
    );
    const after = await pushImage(registry, 'shop/moving', '1.0', { content: 'after' });
    await vi.waitFor(
      () => {
        expect(changes).toEqual([request.key]);
      },
      { timeout: 30_000 },
    );
    expect(state()).toMatchObject({ state: 'moved', digest: after.digest });
  });
});
