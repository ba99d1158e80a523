/** What a command has of the cluster: a client, a namespace, and a list of what it was not allowed to see. */
import manifest from '../../package.json' with { type: 'json' };
import { createClient } from '../kube/client.ts';
import type { KubeConfigSource } from '../kube/credentials.ts';
import { isForbidden, isNoLogin } from '../kube/errors.ts';
import type { KubeClient } from '../kube/types.ts';
import { describeError } from './errors.ts';
import type { ExitCode } from './exit-codes.ts';
import { EXIT } from './exit-codes.ts';
import type { Io } from './io.ts';
import type { ClusterOptions } from './kubeconfig.ts';
import { chooseCluster } from './kubeconfig.ts';

export const FIELD_MANAGER = 'kubectl-apprelease';

export interface Session {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly io: Io;
  /** The result of a read; undefined, and a note at the end of the output, if the user has no right to it. `what`: `pods`. */
  readonly ifAllowed: <T>(what: string, read: Promise<T>) => Promise<T | undefined>;
  /** Adds such a note. */
  readonly notShown: (what: string, why: string) => void;
}

export interface SessionOptions extends ClusterOptions {
  /** Seconds. */
  readonly requestTimeout?: number | undefined;
}

const DEFAULT_TIMEOUT_S = 30;

/** Runs a command against the cluster that the options choose, and tells what failed or could not be shown. */
export async function withSession(
  io: Io,
  options: SessionOptions,
  command: (session: Session) => Promise<ExitCode>,
): Promise<ExitCode> {
  const refused = new Map<string, string>();
  let client: KubeClient | undefined;
  let whyNoLogin: () => unknown = () => undefined;
  try {
    const { source, namespace, loginError } = chooseCluster(options, io);
    whyNoLogin = loginError;
    client = connect(source, options.requestTimeout);
    return await command({
      client,
      namespace,
      io,
      notShown: (what, why) => refused.set(what, why),
      ifAllowed: async (what, read) => {
        try {
          return await read;
        } catch (error) {
          if (!isForbidden(error)) throw error;
          refused.set(what, describeError(error));
          return undefined;
        }
      },
    });
  } catch (error) {
    if (io.interrupted.aborted) return EXIT.interrupted;
    io.err(`${describeError(isNoLogin(error) ? (whyNoLogin() ?? error) : error)}\n`);
    return EXIT.failed;
  } finally {
    for (const [what, why] of refused) io.err(`not shown: ${what} (${why})\n`);
    await client?.close();
  }
}

/** `timeout`: seconds for one request. */
export function connect(source: KubeConfigSource, timeout = DEFAULT_TIMEOUT_S): KubeClient {
  return createClient(source, { userAgent: `${FIELD_MANAGER}/${manifest.version}`, timeoutMs: timeout * 1000 });
}
