// The operator inside the test's process: it can be stopped, restarted, and killed after any of its writes.
import { KubeConfig } from '@kubernetes/client-node';
import type { Controller } from '../../src/controller/controller.ts';
import { createController } from '../../src/controller/controller.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import type { ClientOptions } from '../../src/kube/client.ts';
import { createClient } from '../../src/kube/client.ts';
import { createServerClock } from '../../src/kube/server-clock.ts';
import { createEventRecorder } from '../../src/kube/events.ts';
import { KubeError } from '../../src/kube/errors.ts';
import type { KubeClient, Resource } from '../../src/kube/types.ts';
import { createDigestResolver } from '../../src/registry/digest-resolver.ts';
import { createCredentialLoader } from '../../src/registry/pull-secrets.ts';
import { createRegistryClient } from '../../src/registry/resolver.ts';
import type { Notice } from '../../src/release/record/actions.ts';
import type { ClusterDetails } from '../cluster/types.ts';

/** One write that reached the API server. */
export interface Write {
  readonly verb: string;
  /** Plural and subresource. */
  readonly resource: string;
  readonly name: string;
}

export interface OperatorOptions {
  readonly cluster: ClusterDetails;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  /** Registries with plain HTTP. */
  readonly registries: readonly string[];
}

/** An operator for one namespace, or for all. The record of its writes survives restarts. */
export interface Operator {
  readonly writes: Write[];
  readonly notices: Notice[];
  readonly log: string[];
  readonly start: () => Promise<void>;
  /** Stops as by SIGTERM: finishes running work. */
  readonly stop: () => Promise<void>;
  readonly restart: () => Promise<void>;
  /** The clock of the process is ahead of the right one from the next start. */
  readonly setClockAhead: (ms: number) => void;
  /** Kills the operator right after its n-th write from now, as by SIGKILL, before it reads the answer. */
  readonly dieAfter: (writes: number) => void;
  /** Resolves when the operator has died. */
  readonly died: () => Promise<void>;
}

interface Life {
  readonly controller: Controller;
  readonly end: () => Promise<void>;
}

/** Resolved once, for callers that wait for a death. */
interface Death {
  left: number;
  readonly died: Promise<void>;
  readonly die: () => void;
}

export function createOperator({ cluster, namespace, registries }: OperatorOptions): Operator {
  const writes: Write[] = [];
  const notices: Notice[] = [];
  const log: string[] = [];
  let life: Life | undefined;
  let death = makeDeath(Number.POSITIVE_INFINITY);
  let aheadMs = 0;

  function note(line: string): void {
    log.push(`${new Date().toISOString().slice(14)} ${line}`);
  }

  async function start(): Promise<void> {
    const clock = createServerClock({ wall: () => Date.now() + aheadMs, monotonic: () => performance.now() });
    const inner = connectAs(cluster, { clock });
    const client = mortal(inner, () => death, onWrite);
    const recorder = createEventRecorder({ client: inner, controller: 'apprelease.dev/operator', instance: 'test' });
    const registry = createRegistryClient({
      insecureHosts: new Set(registries),
      proxy: { httpProxy: '', httpsProxy: '', noProxy: '' },
      networks: { allow: ['127.0.0.0/8'] },
    });
    const loadCredentials = createCredentialLoader(
      () => Promise.resolve(undefined),
      () => Promise.resolve(undefined),
    );
    const controller = createController({
      client,
      clock,
      namespaces: namespace === undefined ? [] : [namespace],
      systemNamespaces: ['kube-system'],
      workers: 2,
      createResolver: (onChange) =>
        createDigestResolver({
          resolve: registry.resolveDigest,
          loadCredentials,
          onChange,
          backoffMs: { initial: 200, max: 1000 },
        }),
      record: (release, notice) => {
        const { apiVersion, kind } = APP_RELEASES;
        const { namespace, name, uid } = release.metadata;
        recorder.record({ regarding: { apiVersion, kind, namespace, name, uid }, ...notice, action: 'Reconcile' });
        notices.push(notice);
        note(`EVENT ${release.metadata.name} ${notice.type} ${notice.reason}: ${notice.note}`);
      },
      assertLeading: () => undefined,
      log: (level, fields, message) => {
        note(`${level} ${JSON.stringify(fields)} ${message}`);
      },
      onCacheError: (error) => {
        note(`cache: ${String(error)}`);
      },
      onReconcile: ({ key, error }) => {
        if (error instanceof Error) note(`reconcile ${key}: ${error.stack ?? error.message}`);
      },
    });
    life = {
      controller,
      end: async () => {
        await controller.stop();
        await recorder.stop();
        await registry.close();
        await inner.close();
      },
    };
    void death.died.then(() => inner.close());
    controller.start();
    await controller.synced;
    controller.lead();
  }

  async function stop(): Promise<void> {
    const ending = life;
    life = undefined;
    await ending?.end();
  }

  function onWrite(write: Write): void {
    writes.push(write);
    note(`${write.verb} ${write.resource} ${write.name}`);
    death.left -= 1;
    if (death.left <= 0) {
      note('died');
      death.die();
    }
  }

  return {
    writes,
    notices,
    log,
    start,
    stop,
    restart: async () => {
      await stop();
      death = makeDeath(Number.POSITIVE_INFINITY);
      note('starts again');
      await start();
    },
    setClockAhead: (ms) => {
      aheadMs = ms;
    },
    dieAfter: (count) => {
      death.left = count;
    },
    died: () => death.died,
  };
}

/** A client with the rights of a cluster administrator. */
export function connectAs(
  { kubeconfigPath }: Pick<ClusterDetails, 'kubeconfigPath'>,
  options: ClientOptions = {},
): KubeClient {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfigPath);
  return createClient(config, options);
}

function makeDeath(left: number): Death {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  return {
    left,
    died: promise,
    die: () => {
      resolve(undefined);
    },
  };
}

/** A client that counts its writes, and whose requests fail after its death. */
function mortal(inner: KubeClient, deathOf: () => Death, onWrite: (write: Write) => void): KubeClient {
  let own: Death | undefined;

  function assertAlive(verb: string): void {
    own ??= deathOf();
    if (own !== deathOf() || own.left <= 0) {
      throw new KubeError({ code: 0, reason: 'ConnectionFailed', message: 'the operator is dead', verb, path: '' });
    }
  }

  async function written<T>(verb: string, resource: Resource, name: string, dryRun: boolean, run: () => Promise<T>) {
    assertAlive(verb);
    const answer = await run();
    assertAlive(verb);
    if (!dryRun) {
      const subresource = resource.subresource === undefined ? '' : `/${resource.subresource}`;
      onWrite({ verb, resource: `${resource.plural}${subresource}`, name });
      assertAlive(verb);
    }
    return answer;
  }

  async function read<T>(verb: string, run: () => Promise<T>): Promise<T> {
    assertAlive(verb);
    return run();
  }

  return {
    ...inner,
    get: (resource, key, options) => read('get', () => inner.get(resource, key, options)),
    list: (resource, options) => read('list', () => inner.list(resource, options)),
    watch: (resource, options) => {
      assertAlive('watch');
      return inner.watch(resource, options);
    },
    create: (resource, object, options) =>
      written('create', resource, object.metadata?.name ?? '', options?.dryRun ?? false, () =>
        inner.create(resource, object, options),
      ),
    update: (resource, object, options) =>
      written('update', resource, object.metadata.name, options?.dryRun ?? false, () =>
        inner.update(resource, object, options),
      ),
    apply: (resource, object, options) =>
      written('apply', resource, object.metadata.name, options.dryRun ?? false, () =>
        inner.apply(resource, object, options),
      ),
    patch: (resource, key, patch, options) =>
      written('patch', resource, key.name, options?.dryRun ?? false, () => inner.patch(resource, key, patch, options)),
    delete: (resource, key, options) =>
      written('delete', resource, key.name, options?.dryRun ?? false, () => inner.delete(resource, key, options)),
  };
}
