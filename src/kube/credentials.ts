/** Credentials for the API server: headers and TLS material from a KubeConfig, cached for a few seconds. */

import type { RequestOptions as HttpsOptions } from 'node:https';

/**
 * The part of the library's `KubeConfig` that we use. It supports all kinds of logins (in-cluster token file, client
 * certificate, exec plugin, …). It refuses a plain HTTP server unless `skipTLSVerify` is set.
 */
export interface KubeConfigSource {
  getCurrentCluster: () => { server: string; proxyUrl?: string } | null;
  /** Sets headers and TLS material. */
  applyToHTTPSOptions: (options: HttpsOptions) => Promise<void>;
}

export type TlsMaterial = Pick<HttpsOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized'> & {
  servername?: string;
};

export interface Credentials {
  headers: Record<string, string | string[]>;
  tls: TlsMaterial;
}

export interface CredentialSource {
  get: () => Promise<Credentials>;
  /** The server refused these credentials: the next `get` asks the KubeConfig again, unless newer ones are cached. */
  forget: (refused: Credentials) => void;
}

/** Short compared to the minute for which the library caches a token file. */
const KEEP_MS = 10_000;

/** A login may wait for a person. After this time another login is tried. */
const LOGIN_MS = 60_000;

interface Dated<T> {
  /** `performance.now()` */
  since: number;
  value: T;
}

/** Concurrent calls share one look-up, so that an exec plugin does not start once per request. */
export function createCredentialSource(kubeConfig: KubeConfigSource): CredentialSource {
  let kept: Dated<Credentials> | undefined;
  let login: Dated<Promise<Credentials>> | undefined;

  function get(): Promise<Credentials> {
    if (isYoung(kept, KEEP_MS)) return Promise.resolve(kept.value);
    if (!isYoung(login, LOGIN_MS)) {
      login = { since: performance.now(), value: logIn() };
      // Runs even if nobody waits for the look-up any more.
      login.value.catch(() => undefined);
    }
    return login.value;
  }

  async function logIn(): Promise<Credentials> {
    try {
      const value = await load(kubeConfig);
      kept = { since: performance.now(), value };
      return value;
    } finally {
      login = undefined;
    }
  }

  return {
    get,
    forget: (refused) => {
      if (kept?.value === refused) kept = undefined;
    },
  };
}

function isYoung<T>(dated: Dated<T> | undefined, ms: number): dated is Dated<T> {
  return dated !== undefined && performance.now() - dated.since <= ms;
}

async function load(kubeConfig: KubeConfigSource): Promise<Credentials> {
  const options: HttpsOptions & { servername?: string } = {};
  await kubeConfig.applyToHTTPSOptions(options);
  const headers: Record<string, string | string[]> = {};
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end with a newline, which a header must not contain.
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
    // Groups of an impersonated user.
    if (Array.isArray(value)) headers[name.toLowerCase()] = value;
  }
  const tls: TlsMaterial = {};
  if (options.ca !== undefined) tls.ca = options.ca;
  if (options.cert !== undefined) tls.cert = options.cert;
  if (options.key !== undefined) tls.key = options.key;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  if (options.servername !== undefined) tls.servername = options.servername;
  return { headers, tls };
}
