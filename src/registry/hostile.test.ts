// Limits in time, bytes and depth for registries and token servers that a user with few rights runs.
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { RegistryClientConfig } from './resolver.ts';
import {
  basicCredential,
  imageManifest,
  keyringFor,
  sendManifest,
  sendStatus,
  storeManifest,
  useClients,
  useServers,
} from './testing.ts';
import type { Answer } from './testing.ts';

const serve = useServers();
const connectTo = useClients();
const image = imageManifest('app');
const INDEX = 'application/vnd.oci.image.index.v1+json';
/** Options for answers that only the timeout ends. */
const SHORT = { requestTimeoutMs: 300 };
const NO_ANSWER = 'RegistryUnavailable';

function digestOf(name: string): string {
  return `sha256:${createHash('sha256').update(name).digest('hex')}`;
}

/** Asks a registry with this answer for every GET, and without HEAD. */
async function resolveFrom(answerGet: (response: ServerResponse) => unknown, config: RegistryClientConfig = {}) {
  const registry = await serve((request, response) =>
    request.method === 'HEAD' ? sendStatus(response, 405) : answerGet(response),
  );
  return connectTo([registry], config).resolveDigest(`${registry.host}/app:1`);
}

async function resolveBody(body: string | Buffer, headers: Record<string, string> = {}) {
  return resolveFrom((response) => response.writeHead(200, { 'content-type': INDEX, ...headers }).end(body));
}

/** Writes the piece repeatedly, as fast as it is read, or at an interval in milliseconds. */
function writeForEver(response: ServerResponse, piece: string, everyMs?: number): void {
  if (everyMs !== undefined) {
    const timer = setInterval(() => response.write(piece), everyMs);
    response.on('close', () => {
      clearInterval(timer);
    });
    return;
  }
  const write = () => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', write);
  write();
}

describe('an index', () => {
  async function platformsOf(manifests: readonly unknown[]) {
    const result = await resolveBody(storeManifest({ mediaType: INDEX, manifests }).body);
    if (result.kind === 'failed') throw new Error(result.message);
    return result.platforms;
  }

  it('keeps the digest of a manifest, and only valid platform names', async () => {
    const platforms = [
      { os: 'linux', architecture: 'arm64', variant: 'v8' },
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.2700' },
      { os: 'linux', architecture: 'x'.repeat(65) },
      { os: 'x'.repeat(41_000), architecture: 'amd64' },
      { os: 'Linux\n', architecture: 'amd64' },
      { os: 'linux', architecture: 'amd64', variant: '\u202e' },
      { os: 'windows', architecture: 'amd64', 'os.version': 'x'.repeat(41_000) },
      { os: '', architecture: '' },
      { os: 1, architecture: {} },
      null,
      'linux/amd64',
    ];
    const found = await platformsOf(platforms.map((platform, n) => ({ digest: digestOf(`${n}`), platform })));
    expect(found.map(({ digest }) => digest)).toEqual(platforms.map((_, n) => digestOf(`${n}`)));
    expect(found.map(({ platform }) => platform)).toEqual([
      'linux/arm64/v8',
      'windows(10.0.20348.2700)/amd64',
      ...Array<undefined>(9).fill(undefined),
    ]);
  });

  it('may contain manifests without a digest, which are skipped', async () => {
    const platform = { os: 'linux', architecture: 'amd64' };
    const digests = ['sha256:0', `sha256:${'G'.repeat(64)}`, `md5:${'0'.repeat(32)}`, 'x'.repeat(41_000), 7, null];
    const known = [digestOf('a'), `sha512:${'0'.repeat(128)}`];
    const manifests = [...digests, ...known].map((digest) => ({ digest, platform }));
    const found = await platformsOf([null, [], 'x', ...manifests]);
    expect(found.map(({ digest }) => digest)).toEqual(known);
  });

  it('of many manifests with long names takes only a few kB', async () => {
    const part = 'x'.repeat(64);
    const platform = { os: part, architecture: part, variant: part, 'os.version': part };
    const found = await platformsOf(Array.from({ length: 5000 }, (_, n) => ({ digest: digestOf(`${n}`), platform })));
    expect(found).toHaveLength(100);
    expect(JSON.stringify(found).length).toBeLessThan(16_000);
  });

  it.each([
    ['nested 100,000 deep', `{"manifests":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['with objects nested 100,000 deep', `{"manifests":[${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}]}`],
    ['of a million manifests', `{"manifests":[${'{},'.repeat(1_000_000)}{}]}`],
    ['of a million numbers', `{"manifests":[${'1,'.repeat(1_000_000)}1]}`],
    ['with an escape at its end', '{"manifests":"\\'],
  ])('%s is no image', async (_, body) => {
    expect(await resolveBody(body)).toMatchObject({ kind: 'failed', reason: 'Unsupported' });
  });

  it('that is compressed is not decompressed', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
    const result = await resolveBody(bomb, { 'content-encoding': 'gzip' });
    expect(result).toMatchObject({ kind: 'failed', reason: 'Unsupported' });
  });
});

describe('an answer', () => {
  it.each<[string, string, (response: ServerResponse) => unknown]>([
    [
      'that arrives byte by byte ends at the timeout',
      NO_ANSWER,
      (response) => {
        writeForEver(response.writeHead(200, { 'content-type': INDEX }), ' ', 10);
      },
    ],
    [
      'of early hints only',
      NO_ANSWER,
      (response) => {
        const timer = setInterval(() => {
          response.writeEarlyHints({ link: '</x>; rel=preload' });
        }, 10);
        response.on('close', () => {
          clearInterval(timer);
        });
      },
    ],
    [
      'with a content length above 4 MiB is not read',
      'InvalidResponse',
      (response) => response.writeHead(200, { 'content-length': 5 * 1024 * 1024 }).write(' '),
    ],
    [
      'with too large headers',
      'InvalidResponse',
      (response) => response.writeHead(200, { 'x-large': 'x'.repeat(64 * 1024) }).end(image.body),
    ],
    [
      'of an error without an end',
      'NotFound',
      (response) => {
        writeForEver(response.writeHead(404), ' '.repeat(64 * 1024));
      },
    ],
    [
      'of an error with a content length',
      'NotFound',
      (response) => response.writeHead(404, { 'content-length': 5 * 1024 * 1024 }).write(' '),
    ],
    [
      'with a malicious challenge',
      'InvalidResponse',
      (response) =>
        sendStatus(response, 401, {
          'www-authenticate': `Bearer ${'a '.repeat(2000)}${'b="'.repeat(2000)}${'\\'.repeat(2000)}`,
        }),
    ],
  ])('%s', async (_, reason, answer) => {
    const start = performance.now();
    const result = await resolveFrom(answer, reason === NO_ANSWER ? SHORT : {});
    expect(performance.now() - start).toBeLessThan(5000);
    expect(result).toMatchObject({ kind: 'failed', reason });
  });

  it('in chunks of one byte is stored once', async () => {
    const registry = await serve((request, response) => {
      if (request.method === 'HEAD') return sendStatus(response, 405);
      response.writeHead(200, { 'content-type': image.mediaType });
      response.write(image.body.slice(0, 10));
      for (let n = 0; n < 20_000; n += 1) response.write(' ');
      response.end(image.body.slice(10));
    });
    const body = `${image.body.slice(0, 10)}${' '.repeat(20_000)}${image.body.slice(10)}`;
    const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`);
    expect(result).toMatchObject({ kind: 'resolved', digest: digestOf(body) });
  });

  it('that redirects to a host with a long name causes no long message', async () => {
    const location = `http://${'a.'.repeat(5000)}example/x`;
    const result = await resolveFrom((response) => sendStatus(response, 302, { location }));
    expect(result).toMatchObject({ kind: 'failed', reason: 'TLS' });
    expect((result as { message: string }).message.length).toBeLessThan(600);
  });
});

describe('a token server', () => {
  async function resolveWith(answerToken: Answer, config: RegistryClientConfig) {
    const tokens = await serve(answerToken);
    const registry = await serve((request, response) => {
      if (request.authorization?.startsWith('Bearer ')) return sendManifest(image, request, response);
      return sendStatus(response, 401, { 'www-authenticate': `Bearer realm="http://${tokens.host}/token"` });
    });
    return connectTo([registry, tokens], config).resolveDigest(`${registry.host}/app:1`);
  }

  it.each<[string, string, (response: ServerResponse) => unknown]>([
    ['with a token of 100 kB', 'InvalidResponse', (response) => response.end(`{"token":"${'x'.repeat(100_000)}"}`)],
    [
      'with a token that is not a valid header',
      'InvalidResponse',
      (response) => response.end('{"token":"a\\r\\nb: c"}'),
    ],
    ['with deep JSON', 'InvalidResponse', (response) => response.end(`{"expires_in":${'['.repeat(60_000)}`)],
    [
      'that sends forever',
      'InvalidResponse',
      (response) => {
        writeForEver(response, ' '.repeat(64 * 1024));
      },
    ],
    [
      'that sends slowly forever',
      NO_ANSWER,
      (response) => {
        writeForEver(response, ' ', 10);
      },
    ],
    ['that sends a compressed token', 'InvalidResponse', (response) => response.end(gzipSync('{"token":"good"}'))],
  ])('%s', async (_, reason, answer) => {
    const result = await resolveWith((_request, response) => answer(response), reason === NO_ANSWER ? SHORT : {});
    expect(result).toMatchObject({ kind: 'failed', reason });
  });
});

it('only ten of thousands of credentials in a Secret are tried', async () => {
  const registry = await serve((_, response) => sendStatus(response, 401, { 'www-authenticate': 'Basic realm="r"' }));
  const credentials = Array.from({ length: 5000 }, (_, n) => basicCredential('me', `${n}`, `Secret shop/s${n}`));
  const keyring = keyringFor(registry.host, ...credentials);
  const result = await connectTo([registry]).resolveDigest(`${registry.host}/app:1`, { keyring });
  expect(registry.requests.filter(({ authorization }) => authorization !== undefined)).toHaveLength(10);
  expect(result).toHaveProperty('message', expect.stringContaining('Secret shop/s4, 5 more'));
});
