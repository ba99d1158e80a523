// A bare client that does the operator's writes and nothing else: what the API server itself takes for them.
import { toCustomResourceDefinition } from '../../src/api/crd.ts';
import type { Condition } from '../../src/api/common.ts';
import { releaseRollbackKind } from '../../src/api/release-rollback.ts';
import { statusOf } from '../../src/kube/types.ts';
import type { Environment } from './environment.ts';
import type { BareRollback } from './objects.ts';
import { BARE_GROUP, BARE_ROLLBACKS, bareRollback, bareService, NAMESPACE, plainService, SERVICES } from './objects.ts';
import { keepServiceTrack } from './kept.ts';
import { watchObjects } from './watching.ts';

/** The kind of rollbacks once more, in a group that no operator knows: the same schema, so the same cost of a write. */
export function bareCrd(): object {
  const { spec, ...crd } = toCustomResourceDefinition(releaseRollbackKind);
  const names = { ...spec.names, shortNames: [], categories: [] };
  return {
    ...crd,
    metadata: { name: `${BARE_ROLLBACKS.plural}.${BARE_GROUP}` },
    spec: { ...spec, group: BARE_GROUP, names },
  };
}

/** What the operator's account may do besides, so that the bare client is in its flow. */
export function bareRights(account: { namespace: string; name: string }): object[] {
  const api = { apiVersion: 'rbac.authorization.k8s.io/v1' };
  const metadata = { name: 'bare', namespace: NAMESPACE };
  const rules = [{ apiGroups: [BARE_GROUP], resources: [`${BARE_ROLLBACKS.plural}/status`], verbs: ['patch'] }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name };
  return [
    { ...api, kind: 'Role', metadata, rules },
    { ...api, kind: 'RoleBinding', metadata, roleRef, subjects: [{ kind: 'ServiceAccount', ...account }] },
  ];
}

const FIELD_MANAGER = 'bench';

async function writeStatus({ asOperator }: Environment, name: string, status: BareRollback['status']): Promise<void> {
  const key = { namespace: NAMESPACE, name };
  const patch = { type: 'json' as const, operations: [{ op: 'add' as const, path: '/status', value: status }] };
  await asOperator.patch(statusOf(BARE_ROLLBACKS), key, patch, { fieldManager: FIELD_MANAGER });
}

async function selectTrack({ asOperator }: Environment, name: string, track: string): Promise<void> {
  await asOperator.apply(SERVICES, bareService(name, track), { fieldManager: FIELD_MANAGER, force: true });
}

/** Leads bare Services to tracks of pods that are there, as a rollback over several pools does. */
export interface BareSwitch {
  /** One status, then all Services side by side; milliseconds until the watch shows every selector. */
  switchTo: (tracks: readonly string[], status: BareRollback['status']) => Promise<number>;
  stop: () => Promise<void>;
}

export async function createBareSwitch(environment: Environment, tracks: readonly string[]): Promise<BareSwitch> {
  const { admin } = environment;
  const names = tracks.map((_, index) => `bare-${String(index)}`);
  const services = await watchObjects(admin, SERVICES, keepServiceTrack, { namespace: NAMESPACE });
  await admin.create(BARE_ROLLBACKS, bareRollback('bare'));
  await Promise.all(names.map((name, index) => selectTrack(environment, name, tracks[index] ?? '')));

  async function switchTo(to: readonly string[], status: BareRollback['status']): Promise<number> {
    const wanted = new Map(names.map((name, index) => [name, to[index]]));
    const began = performance.now();
    const switched = services.every(
      'bare selectors',
      names,
      ({ metadata, track }) => track === wanted.get(metadata.name),
    );
    await writeStatus(environment, 'bare', status);
    await Promise.all(names.map((name, index) => selectTrack(environment, name, to[index] ?? '')));
    return (await switched) - began;
  }

  return {
    switchTo,
    stop: async () => {
      await services.stop();
      await Promise.all(names.map((name) => admin.delete(SERVICES, { namespace: NAMESPACE, name })));
      await admin.delete(BARE_ROLLBACKS, { namespace: NAMESPACE, name: 'bare' });
    },
  };
}

/**
 * Of each Service the three writes that a rollback takes until it is switched, all of them at once: a rollback is created,
 * its status says that it is accepted, the Service selects something else. The pods that it selects stay the same.
 */
export async function measureLoops(
  environment: Environment,
  names: readonly string[],
  loops: number,
): Promise<number[]> {
  const { admin, asOperator, say } = environment;
  say(`(b) bare loops of three writes for each of ${String(names.length)} Services`);
  const seconds: number[] = [];
  async function writeThree(name: string, narrow: boolean): Promise<void> {
    await admin.create(BARE_ROLLBACKS, bareRollback(name));
    await writeStatus(environment, name, ACCEPTED);
    await asOperator.apply(SERVICES, plainService(name, narrow), { fieldManager: FIELD_MANAGER, force: true });
  }
  for (let loop = 0; loop <= loops; loop += 1) {
    const began = performance.now();
    await Promise.all(names.map((name) => writeThree(name, loop % 2 === 0)));
    // The first one also takes the fields over.
    if (loop > 0) seconds.push((performance.now() - began) / 1000);
    await Promise.all(names.map((name) => admin.delete(BARE_ROLLBACKS, { namespace: NAMESPACE, name })));
  }
  return seconds;
}

const at = '2026-01-01T00:00:00Z';

/** As long as that of a rollback of one pool. */
const ACCEPTED: BareRollback['status'] = {
  acceptedAt: at,
  sequence: 1,
  releaseUID: '00000000-0000-0000-0000-000000000000',
  heldAgainst: 2,
  toVersion: 'v1',
  pools: [{ name: 'pool-a', from: 2, to: 1 }],
  conditions: [
    condition('Accepted', 'True', 'Accepted', 'pool-a goes back to revision 1'),
    condition('Complete', 'False', 'InProgress', 'not every pool serves its target yet'),
    condition('Superseded', 'False', 'Latest', 'no later rollback takes over'),
    condition('InForce', 'True', 'Holding', 'keeps out revision 2 (v2) until another version is wanted'),
  ],
};

function condition(type: string, status: 'True' | 'False', reason: string, message: string): Condition {
  return { type, status, reason, message, lastTransitionTime: at };
}
