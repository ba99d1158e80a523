/** Who we are to the API server: headers and TLS material from a KubeConfig, kept for a few seconds. */

import type { RequestOptions as HttpsOptions } from 'node:https';

/**
 * The part of the library's `KubeConfig` that is used: any way of logging in that it knows (in-cluster token file, client
 * certificate, exec plugin, …). It refuses a plain http server unless `skipTLSVerify` is set.
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
  headers: Record<string, string>;
  tls: TlsMaterial;
}

export interface CredentialSource {
  get: () => Promise<Credentials>;
  /** These were refused: the next `get` asks the KubeConfig again, unless newer ones are kept by now. */
  forget: (refused: Credentials) => void;
}

/** Short against the minute for which the library itself keeps a token file's content. */
const KEEP_MS = 10_000;

/** A login may wait for a person, but not for ever: after this another is tried. */
const LOGIN_MS = 60_000;

interface Dated<T> {
  /** `performance.now()` */
  since: number;
  value: T;
}

/** Calls at the same time share one look-up, however long it takes: an exec plugin must not be started once per request. */
export function createCredentialSource(kubeConfig: KubeConfigSource): CredentialSource {
  let kept: Dated<Credentials> | undefined;
  let login: Dated<Promise<Credentials>> | undefined;

  function get(): Promise<Credentials> {
    if (isYoung(kept, KEEP_MS)) return Promise.resolve(kept.value);
    if (!isYoung(login, LOGIN_MS)) {
      login = { since: performance.now(), value: logIn() };
      // Also where nobody waits for it any more.
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
  const headers: Record<string, string> = {};
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end with a newline, which no header may hold.
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  }
  const tls: TlsMaterial = {};
  if (options.ca !== undefined) tls.ca = options.ca;
  if (options.cert !== undefined) tls.cert = options.cert;
  if (options.key !== undefined) tls.key = options.key;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  if (options.servername !== undefined) tls.servername = options.servername;
  return { headers, tls };
}
