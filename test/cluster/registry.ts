// The distribution registry (https://distribution.github.io/distribution/) as a process of its own.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { registry } from './build.ts';
import { ensureTool } from './go-tool.ts';
import { freePort, removeWithUs, start, waitFor, type Running } from './processes.ts';
import { registryFetch } from './registry-client.ts';
import type { Registry, RegistryAuth, RegistryOptions } from './types.ts';

/**
 * Starts a registry on loopback, unless told otherwise, which keeps its images over kill() and restart(). It ends with this process, unless
 * `detached`.
 * @throws Error with the end of its log when it does not start
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const file = join(await ensureTool(registry), 'registry');
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'registry-')));
  await mkdir(dir, { recursive: true });
  const keepDir = options.dir === undefined ? await removeWithUs(dir) : undefined;
  const port = options.port ?? (await freePort());
  const host = `${options.address ?? '127.0.0.1'}:${port}`;
  const access = {
    host,
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}`,
    auth: options.auth ?? 'none',
    ...(options.tls === undefined ? {} : { caFile: options.tls.certFile }),
  };
  let running: Running | undefined;
  const kill = async () => {
    await running?.stop();
    running = undefined;
  };
  const stop = async () => {
    await kill();
    if (keepDir === undefined) return;
    await rm(dir, { recursive: true, force: true });
    await keepDir();
  };
  const begin = async () => {
    running = await start({
      name: 'registry',
      file,
      args: ['serve', join(dir, 'config.json')],
      logFile: join(dir, 'registry.log'),
      detached: options.detached ?? false,
      // Without this it looks for an OpenTelemetry collector.
      env: { OTEL_TRACES_EXPORTER: 'none' },
    });
    const answers = async () => [200, 401].includes((await registryFetch(access, '/v2/')).status);
    await waitFor('answer of the registry', answers, { timeoutSeconds: 30, needs: [running] });
  };
  try {
    const auth = await authConfiguration(access.auth, dir, file);
    await writeFile(join(dir, 'config.json'), JSON.stringify(configuration(host, dir, auth, options.tls)));
    await begin();
  } catch (error) {
    await stop();
    throw error;
  }
  const restart = async () => {
    await kill();
    await begin();
  };
  return { ...access, pid: () => running?.pid, kill, restart, stop };
}

function configuration(host: string, dir: string, auth: object | undefined, tls: RegistryOptions['tls']): object {
  return {
    version: '0.1',
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(dir, 'images') }, delete: { enabled: true } },
    http: { addr: host, ...(tls === undefined ? {} : { tls: { certificate: tls.certFile, key: tls.keyFile } }) },
    ...(auth === undefined ? {} : { auth }),
  };
}

async function authConfiguration(auth: RegistryAuth, dir: string, file: string): Promise<object | undefined> {
  if (auth === 'none') return undefined;
  if ('htpasswd' in auth) {
    const path = join(dir, 'htpasswd');
    const { stdout } = await promisify(execFile)(file, ['htpasswd', auth.htpasswd.user, auth.htpasswd.password]);
    await writeFile(path, stdout, { mode: 0o600 });
    return { htpasswd: { realm: 'test', path } };
  }
  const { realm, service, issuer, jwksFile } = auth.token;
  return { token: { realm, service, issuer, jwks: jwksFile, signingalgorithms: ['ES256'] } };
}
