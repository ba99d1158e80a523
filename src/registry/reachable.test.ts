// Which hosts the operator connects to, and that the answer does not tell which are there.
import { describe, expect, it } from 'vitest';
import { makeCertificate } from '../kube/testing.ts';
import type { NetworkRules } from './address-rules.ts';
import type { RegistryClientConfig } from './resolver.ts';
import { imageManifest, LOCAL, NO_PROXY, sendManifest, sendStatus, useClients, useServers } from './testing.ts';
import type { TestServer } from './testing.ts';
import type { UnreachableEvent } from './types.ts';

const serve = useServers();
const connectTo = useClients();
const image = imageManifest('app');

const DNS: Readonly<Record<string, readonly string[]>> = {
  'local.example': ['127.0.0.1'],
  'mixed.example': ['127.0.0.1', '169.254.169.254'],
  'metadata.example': ['169.254.169.254'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'private.example': ['10.0.0.1'],
  'api.example': ['127.0.0.1'],
};

function resolveHost(hostname: string) {
  const found = DNS[hostname];
  if (found === undefined) return Promise.reject(Object.assign(new Error(hostname), { code: 'ENOTFOUND' }));
  return Promise.resolve(found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
}

function portOf({ host }: TestServer): string {
  return host.split(':')[1] ?? '';
}

/** A client with DNS of the test, and the causes that it logs. */
function clientWith(insecure: readonly string[], networks: NetworkRules, config: RegistryClientConfig = {}) {
  const events: UnreachableEvent[] = [];
  const client = connectTo([], {
    insecureHosts: new Set(insecure),
    networks,
    resolveHost,
    onUnreachable: (event) => events.push(event),
    ...config,
  });
  return { client, events };
}

describe('an address that is not allowed', () => {
  it.each([
    ['127.0.0.1', {}, '127.0.0.1 is a loopback address'],
    ['local.example', {}, '127.0.0.1 is a loopback address'],
    ['mapped.example', {}, '::ffff:127.0.0.1 is a loopback address'],
    ['[::ffff:7f00:1]', {}, '::ffff:7f00:1 is a loopback address'],
    ['mixed.example', LOCAL, '169.254.169.254 is a link-local address'],
    ['private.example', { ...LOCAL, denyPrivate: true }, '10.0.0.1 is a private address'],
  ])('is not asked: %s with %j', async (host, networks, cause) => {
    const server = await serve((request, response) => sendManifest(image, request, response));
    const name = `${host}:${portOf(server)}`;
    const { client, events } = clientWith([name], networks);
    expect(await client.resolveDigest(`${name}/app:1`)).toMatchObject({ reason: 'RegistryUnavailable' });
    expect(server.requests).toEqual([]);
    expect(events).toHaveLength(1);
    expect(events[0]?.cause).toContain(cause);
  });

  it('is asked if an exception names its network', async () => {
    const server = await serve((request, response) => sendManifest(image, request, response));
    const name = `local.example:${portOf(server)}`;
    const { client } = clientWith([name], LOCAL);
    expect(await client.resolveDigest(`${name}/app:1`)).toMatchObject({ kind: 'resolved' });
  });

  it('is not asked by a redirect, or as a token server', async () => {
    const inner = await serve((request, response) => sendManifest(image, request, response));
    const target = `metadata.example:${portOf(inner)}`;
    for (const [status, headers] of [
      [302, { location: `http://${target}/latest` }],
      [401, { 'www-authenticate': `Bearer realm="http://${target}/token"` }],
    ] as const) {
      const outer = await serve((_, response) => sendStatus(response, status, headers));
      const { client, events } = clientWith([outer.host, target], LOCAL);
      expect(await client.resolveDigest(`${outer.host}/app:1`)).toMatchObject({ reason: 'RegistryUnavailable' });
      expect(events).toMatchObject([{ registry: outer.host, host: target }]);
    }
    expect(inner.requests).toEqual([]);
  });

  it('is for the proxy to refuse, if there is one', async () => {
    const proxy = await serve((request, response) => sendManifest(image, request, response));
    const config = { proxy: { ...NO_PROXY, httpProxy: `http://${proxy.host}` } };
    const { client } = clientWith(['metadata.example'], {}, config);
    expect(await client.resolveDigest('metadata.example/app:1')).toMatchObject({ kind: 'resolved' });
  });
});

describe('the API server', () => {
  it.each(['127.0.0.1', 'local.example', 'mapped.example'])('is not asked as %s, whatever is allowed', async (host) => {
    const server = await serve((request, response) => sendManifest(image, request, response));
    const other = await serve((request, response) => sendManifest(image, request, response));
    const [name, beside] = [`${host}:${portOf(server)}`, `${host}:${portOf(other)}`];
    for (const api of ['127.0.0.1', 'api.example']) {
      const networks = { ...LOCAL, apiServers: [{ host: api, port: Number(portOf(server)) }] };
      const { client, events } = clientWith([name, beside], networks);
      expect(await client.resolveDigest(`${name}/app:1`)).toMatchObject({ reason: 'RegistryUnavailable' });
      expect(events[0]?.cause).toContain('is the API server');
      expect(await client.resolveDigest(`${beside}/app:1`)).toMatchObject({ kind: 'resolved' });
    }
    expect(server.requests).toEqual([]);
  });
});

it('every host without an answer gets the same message; the log tells the causes', async () => {
  const closed = await serve(() => undefined);
  await new Promise((done) => closed.server.close(done));
  const plain = await serve((request, response) => sendManifest(image, request, response));
  const untrusted = await serve((request, response) => sendManifest(image, request, response), makeCertificate());
  const silent = await serve(() => undefined);
  const garbage = await serve((_, response) => response.socket?.end('SSH-2.0-OpenSSH\r\n'));
  const { client, events } = clientWith([silent.host, garbage.host], LOCAL, { requestTimeoutMs: 300 });

  const hosts = [
    closed.host,
    plain.host,
    untrusted.host,
    silent.host,
    garbage.host,
    'metadata.example',
    'none.example',
  ];
  const answers = await Promise.all(hosts.map((host) => client.resolveDigest(`${host}/app:1`)));
  const messages = answers.map((answer, n) => {
    if (answer.kind === 'resolved') throw new Error(hosts[n]);
    expect(answer).toMatchObject({ reason: 'RegistryUnavailable', retryable: true });
    return answer.message.replaceAll(hosts[n] ?? '', 'HOST');
  });
  expect(new Set(messages).size).toBe(1);
  expect(messages[0]).not.toMatch(/E[A-Z]{5}|TIMEOUT|\d\.\d/);
  const causes = new Map(events.map(({ host, cause }) => [host, cause]));
  expect(hosts.map((host) => causes.get(host))).toEqual([
    'ECONNREFUSED',
    expect.stringContaining('does not speak TLS'),
    expect.stringContaining('--registry-ca-file'),
    'no answer in time',
    'HTTPParserError',
    expect.stringContaining('169.254.169.254 is a link-local address'),
    expect.stringContaining('unknown'),
  ]);
});
