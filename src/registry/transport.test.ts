// Extra CA, plain HTTP only if allowed, HTTP_PROXY, HTTPS_PROXY and NO_PROXY.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { makeCertificate } from '../kube/testing.ts';
import { createRegistryClient } from './resolver.ts';
import { imageManifest, LOCAL, NO_PROXY, sendManifest, useClients, useServers } from './testing.ts';

const serve = useServers();
const connectTo = useClients();
const image = imageManifest('app');
const certificate = makeCertificate();

/** A proxy that opens every requested tunnel to 127.0.0.1, whatever the host name is. */
async function serveProxy() {
  const tunnels: string[] = [];
  const proxy = await serve(() => undefined);
  proxy.server.on('connect', (request, socket) => {
    tunnels.push(request.url ?? '');
    const port = Number((request.url ?? '').split(':')[1]);
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
    socket.on('close', () => upstream.destroy());
  });
  return { proxy, tunnels };
}

describe('TLS', () => {
  it('trusts the CA bundle besides the default ones', async () => {
    const registry = await serve((request, response) => sendManifest(image, request, response), certificate);
    const client = connectTo([], { caBundle: certificate.cert });
    expect(await client.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'resolved' });
  });

  it('names the way out for a certificate that is not trusted', async () => {
    const registry = await serve((request, response) => sendManifest(image, request, response), certificate);
    const result = await connectTo([]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'RegistryUnavailable' });
    expect(result).toHaveProperty('message', expect.stringContaining('--registry-ca-file'));
  });

  it('does not use plain HTTP for a host that is not allowed', async () => {
    const registry = await serve((request, response) => sendManifest(image, request, response));
    const result = await connectTo([]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ reason: 'RegistryUnavailable' });
    expect(result).toHaveProperty('message', expect.stringContaining('--insecure-registry'));
    expect(registry.requests).toEqual([]);
  });

  it.each(['r.example', 'r.example:80', 'R.Example'])(
    'uses plain HTTP for r.example when %s is allowed',
    async (host) => {
      const asked: string[] = [];
      const proxy = await serve((request, response) => {
        asked.push(request.url.href);
        sendManifest(image, request, response);
      });
      const insecureHosts = new Set([host]);
      const client = connectTo([], { insecureHosts, proxy: { ...NO_PROXY, httpProxy: `http://${proxy.host}` } });
      for (const name of ['r.example', 'r.example:80']) {
        expect(await client.resolveDigest(`${name}/app:1`)).toMatchObject({ kind: 'resolved' });
      }
      expect(asked).toEqual(Array(2).fill('http://r.example/v2/app/manifests/1'));
      expect(await client.resolveDigest('r.example:8080/app:1')).toMatchObject({ kind: 'failed' });
    },
  );

  it.each([
    ['', 'holds no certificate in PEM form'],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----', 'holds no certificate in PEM form'],
    [`${certificate.cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----`, 'certificate 2 in the CA'],
  ])('refuses the CA bundle %j at the start', (caBundle, message) => {
    expect(() => createRegistryClient({ caBundle, proxy: NO_PROXY })).toThrow(message);
  });

  it('accepts a CA bundle of several certificates with text around them', async () => {
    const registry = await serve((request, response) => sendManifest(image, request, response), certificate);
    const caBundle = `# the old one\n${makeCertificate().cert}\n# the new one\r\n${certificate.cert}`;
    const client = connectTo([], { caBundle });
    expect(await client.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'resolved' });
  });
});

describe('a connection', () => {
  it('to a server that accepts it and says nothing ends at its own timeout', async () => {
    const server = createTcpServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const start = performance.now();
    const { port } = server.address() as AddressInfo;
    const result = await connectTo([], { connectTimeoutMs: 200 }).resolveDigest(`127.0.0.1:${port}/app:1`);
    server.close();
    expect(result).toMatchObject({ reason: 'RegistryUnavailable' });
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it('to a host with slow DNS ends at its own timeout', async () => {
    const resolveHost = () => new Promise<never>(() => undefined);
    const start = performance.now();
    const client = connectTo([], { connectTimeoutMs: 200, resolveHost });
    expect(await client.resolveDigest('slow.example/app:1')).toMatchObject({ reason: 'RegistryUnavailable' });
    expect(performance.now() - start).toBeLessThan(5000);
  });
});

describe('a proxy', () => {
  it('is used, except for hosts in NO_PROXY', async () => {
    const registry = await serve((request, response) => sendManifest(image, request, response), certificate);
    const { proxy, tunnels } = await serveProxy();
    const through = { ...NO_PROXY, httpsProxy: `http://${proxy.host}` };

    const proxied = connectTo([], { caBundle: certificate.cert, proxy: through });
    expect(await proxied.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'resolved' });
    expect(tunnels).toEqual([registry.host]);
    const [, port = ''] = registry.host.split(':');
    expect(await proxied.resolveDigest(`localhost:${port}/app:1`)).toMatchObject({ kind: 'resolved' });
    expect(await proxied.resolveDigest(`impostor.example:${port}/app:1`)).toMatchObject({
      reason: 'RegistryUnavailable',
    });
    tunnels.length = 0;

    const direct = connectTo([], { caBundle: certificate.cert, proxy: { ...through, noProxy: '127.0.0.1' } });
    expect(await direct.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'resolved' });
    expect(tunnels).toEqual([]);
  });

  it('that refuses is named in the log alone', async () => {
    const proxy = createServer().on('connect', (_, socket) => socket.end('HTTP/1.1 407 Authenticate\r\n\r\n'));
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const uri = `http://user:hunter2@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const causes: string[] = [];
    const onUnreachable = ({ cause }: { cause: string }) => causes.push(cause);
    const client = connectTo([], { proxy: { ...NO_PROXY, httpsProxy: uri }, onUnreachable });
    const result = await client.resolveDigest('registry.example/app:1');
    proxy.close();
    expect(result).toMatchObject({ reason: 'RegistryUnavailable' });
    expect(causes).toEqual(['the proxy answered 407']);
    expect(JSON.stringify(result)).not.toMatch(/hunter2|407/);
  });

  it.each([
    ['10.0.0.0/8,127.0.0.0/8', []],
    ['127.0.0.1/32', []],
    ['127.0.0.1', []],
    ['10.0.0.0/8, 127.0.0.1/33 not/24', ['127.0.0.1']],
  ])('is bypassed by NO_PROXY %s as in Go', async (noProxy, asked) => {
    const registry = await serve((request, response) => sendManifest(image, request, response), certificate);
    const { proxy, tunnels } = await serveProxy();
    const config = { ...NO_PROXY, httpsProxy: `http://${proxy.host}`, noProxy };
    const client = connectTo([], { caBundle: certificate.cert, proxy: config });
    expect(await client.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'resolved' });
    expect(tunnels.map((tunnel) => tunnel.split(':')[0])).toEqual(asked);
  });

  it('is also bypassed for names of a domain and for IPv6 networks', async () => {
    const { proxy, tunnels } = await serveProxy();
    const config = { ...NO_PROXY, httpsProxy: `http://${proxy.host}`, noProxy: '.corp.example,fd00::/8' };
    const client = connectTo([], { proxy: config, requestTimeoutMs: 500 });
    const results = ['registry.corp.example', '[fd00::1]:1'].map((host) => client.resolveDigest(`${host}/app:1`));
    for (const result of await Promise.all(results)) expect(result).toMatchObject({ kind: 'failed' });
    expect(tunnels).toEqual([]);
  });

  describe('of the environment', () => {
    afterEach(() => {
      vi.unstubAllEnvs();
    });

    it('may have no scheme, as in Go and curl', async () => {
      const registry = await serve((request, response) => sendManifest(image, request, response), certificate);
      const { proxy, tunnels } = await serveProxy();
      for (const name of ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'no_proxy', 'NO_PROXY'])
        vi.stubEnv(name, undefined);
      vi.stubEnv('HTTPS_PROXY', proxy.host);
      const client = createRegistryClient({ caBundle: certificate.cert, networks: LOCAL });
      expect(await client.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'resolved' });
      expect(tunnels).toEqual([registry.host]);
      vi.stubEnv('NO_PROXY', '127.0.0.0/8');
      const direct = createRegistryClient({ caBundle: certificate.cert, networks: LOCAL });
      expect(await direct.resolveDigest(`${registry.host}/app:1`)).toMatchObject({ kind: 'resolved' });
      expect(tunnels).toHaveLength(1);
      await Promise.all([client.close(), direct.close()]);
    });

    it('that is not a URL is refused at the start, without quoting it', () => {
      vi.stubEnv('https_proxy', undefined);
      vi.stubEnv('HTTPS_PROXY', 'http://me:hunter2@proxy example:3128');
      expect(() => createRegistryClient()).toThrow(/^HTTPS_PROXY is not a URL such as http:\/\/proxy.example:3128$/);
    });
  });
});
