// Issues bearer tokens for a registry, like Docker Hub.
import { generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TokenServer } from './types.ts';

/** The user and the lifetime of tokens. */
export interface TokenServerOptions {
  readonly user?: string;
  readonly password?: string;
  /** Default: 60, the minimum that clients must assume. */
  readonly lifetimeSeconds?: number;
}

const service = 'test-registry';
const issuer = 'test-token-server';
const keyId = 'test-key';

/** Starts a token server in this process, on 127.0.0.1. */
export async function startTokenServer(options: TokenServerOptions = {}): Promise<TokenServer> {
  const { user = 'user', password = 'password', lifetimeSeconds = 60 } = options;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const dir = await mkdtemp(join(tmpdir(), 'token-server-'));
  const jwksFile = join(dir, 'jwks.json');
  const key = { ...publicKey.export({ format: 'jwk' }), kid: keyId, alg: 'ES256', use: 'sig' };
  await writeFile(jwksFile, JSON.stringify({ keys: [key] }));
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  let issued = 0;
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    if (request.headers.authorization !== expected) {
      response.writeHead(401).end();
      return;
    }
    const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const token = makeToken(privateKey, user, searchParams.getAll('scope'), lifetimeSeconds);
    issued += 1;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token, access_token: token, expires_in: lifetimeSeconds }));
  };
  const server = createServer(handle);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
    await rm(dir, { recursive: true });
  };
  const realm = `http://127.0.0.1:${port}/token`;
  return { realm, service, issuer, jwksFile, user, password, issued: () => issued, stop };
}

/** A token that grants every requested scope (https://distribution.github.io/distribution/spec/auth/jwt/). */
function makeToken(key: KeyObject, subject: string, scopes: readonly string[], lifetimeSeconds: number): string {
  const now = Math.floor(Date.now() / 1000);
  const access = scopes
    .flatMap((scope) => scope.split(' '))
    .map((scope) => {
      const [type, ...rest] = scope.split(':');
      return { type, name: rest.slice(0, -1).join(':'), actions: rest.at(-1)?.split(',') ?? [] };
    });
  const times = { iat: now, nbf: now, exp: now + lifetimeSeconds };
  const claims = { iss: issuer, sub: subject, aud: service, jti: randomUUID(), access, ...times };
  const signed = [{ alg: 'ES256', typ: 'JWT', kid: keyId }, claims].map(encode).join('.');
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
