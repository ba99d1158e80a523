// A namespace for tests of the operator's process, with user actions and checks.
import { randomBytes } from 'node:crypto';
import type { Condition } from '../../src/api/common.ts';
import { ANNOTATION, API_VERSION } from '../../src/api/meta.ts';
import type { ReleasePromotionSpec } from '../../src/api/release-promotion.ts';
import type { ReleaseRollbackSpec } from '../../src/api/release-rollback.ts';
import { APP_RELEASES, PROMOTIONS, ROLLBACKS } from '../../src/controller/kinds/api-kinds.ts';
import { DEPLOYMENTS } from '../../src/controller/kinds/deployments.ts';
import { REVISIONS } from '../../src/controller/kinds/revisions.ts';
import { SERVICES } from '../../src/controller/kinds/services.ts';
import type { KubeClient, WireMetadata, Resource } from '../../src/kube/types.ts';
import { waitFor } from '../cluster/processes.ts';
import type { ClusterAccess } from '../cluster/types.ts';
import type { Invariant } from './invariant.ts';
import { watchInvariant } from './invariant.ts';
import { connectAs } from './release-operator.ts';
import type { Spec } from './release-objects.ts';

export interface ProcessWorld {
  readonly namespace: string;
  /** An administrator's client, without a proxy. */
  readonly admin: KubeClient;
  readonly invariant: Invariant;
  readonly apply: (spec: Spec) => Promise<void>;
  readonly rollBack: (name: string, spec?: Partial<ReleaseRollbackSpec>) => Promise<void>;
  readonly promote: (name: string, spec: Partial<ReleasePromotionSpec>) => Promise<void>;
  readonly until: (what: string, condition: () => Promise<boolean>) => Promise<void>;
  /** A condition of the release, if it is of the newest generation. */
  readonly condition: (type: string) => Promise<Condition | undefined>;
  /** Waits until this version serves in every pool. */
  readonly released: (version: string) => Promise<void>;
  /** Waits until a rollback is complete. */
  readonly rolledBack: (name: string) => Promise<void>;
  /** The revision that each Service selects, by Service. */
  readonly selected: () => Promise<Record<string, string>>;
  /** Objects that only the operator writes, without statuses, which Kubernetes writes. */
  readonly written: () => Promise<unknown[]>;
  readonly end: () => Promise<void>;
}

const TIMEOUT_SECONDS = 150;

/** Creates the namespace, and starts to check the invariant in it. */
export async function createProcessWorld(cluster: ClusterAccess): Promise<ProcessWorld> {
  const namespace = `process-${randomBytes(4).toString('hex')}`;
  await cluster.kubectl(['create', 'namespace', namespace]);
  const admin = connectAs(cluster);
  const invariant = await watchInvariant(cluster, namespace);

  function until(what: string, condition: () => Promise<boolean>): Promise<void> {
    return waitFor(what, condition, { timeoutSeconds: TIMEOUT_SECONDS });
  }

  function create(resource: Resource, name: string, spec: object): Promise<unknown> {
    const object = { apiVersion: API_VERSION, kind: resource.kind, metadata: { name, namespace } };
    return admin.create(resource, { ...object, spec: { release: 'web', ...spec } } as never);
  }

  async function condition(type: string): Promise<Condition | undefined> {
    const { metadata, status } = await admin.get(APP_RELEASES, { namespace, name: 'web' });
    const { generation } = metadata as WireMetadata;
    return status?.conditions?.find((found) => found.type === type && found.observedGeneration === generation);
  }

  return {
    namespace,
    admin,
    invariant,
    apply: async (spec) => {
      const object = { apiVersion: API_VERSION, kind: 'AppRelease', metadata: { name: 'web', namespace }, spec };
      await admin.apply(APP_RELEASES, object as never, { fieldManager: 'git', force: true });
    },
    rollBack: async (name, spec = {}) => {
      await create(ROLLBACKS, name, spec);
    },
    promote: async (name, spec) => {
      await create(PROMOTIONS, name, spec);
    },
    until,
    condition,
    released: (version) =>
      until(`release of ${version}`, async () => {
        const { status } = await admin.get(APP_RELEASES, { namespace, name: 'web' });
        return status?.version === version && (await condition('Ready'))?.status === 'True';
      }),
    rolledBack: (name) =>
      until(`end of the rollback ${name}`, async () => {
        const { status } = await admin.get(ROLLBACKS, { namespace, name });
        return status?.conditions?.some((found) => found.type === 'Complete' && found.status === 'True') ?? false;
      }),
    selected: async () => {
      const { items } = await admin.list(SERVICES, { namespace });
      return Object.fromEntries(
        items.map(({ metadata }) => [
          metadata.name,
          (metadata as WireMetadata).annotations?.[ANNOTATION.revision] ?? 'none',
        ]),
      );
    },
    written: async () => {
      const deployments = await admin.list(DEPLOYMENTS, { namespace });
      const services = await admin.list(SERVICES, { namespace });
      const revisions = await admin.list(REVISIONS, { namespace });
      return [
        ...deployments.items.map(({ metadata, spec }) => [metadata.name, spec]),
        ...services.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]),
        ...revisions.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]),
      ];
    },
    end: async () => {
      await invariant.stop();
      await admin.close();
      await cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']);
    },
  };
}
