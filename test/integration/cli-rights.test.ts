// The rights that docs/cli.md lists for each command are the ones that it uses.
import { describe, expect } from 'vitest';
import type { Right } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { createProgram } from '../../src/cli/program.ts';
import { testIo } from '../../src/cli/testing.ts';
import { APP_RELEASES } from '../../src/controller/kinds/api-kinds.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import type { CliAnswer } from './cli.ts';
import { apprelease } from './cli.ts';
import { admin, test } from './harness.ts';
import type { World } from './harness.ts';
import { pool, release } from './release-objects.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';
const ROLES: Resource = { apiVersion: RBAC, kind: 'ClusterRole', plural: 'clusterroles', namespaced: false };
const BINDINGS: Resource = { ...ROLES, kind: 'ClusterRoleBinding', plural: 'clusterrolebindings' };

/** How each command with rights is called, for the release web. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  list: ['list'],
  get: ['get', 'web'],
  status: ['status', 'web', '--timeout', '0'],
  history: ['history', 'web'],
  diff: ['diff', 'web', '1', '1'],
  events: ['events', 'web'],
  pools: ['pools'],
  rollback: ['rollback', 'web', '--dry-run=server'],
  promote: ['promote', 'web', 'production', '--dry-run=server'],
  approve: ['approve', 'web', '--dry-run=server'],
  release: ['release', 'web', '--version', '9', '--image', 'web=r/web:9', '--dry-run=server'],
  restart: ['restart', 'web', '--dry-run=server'],
  pause: ['pause', 'web', '--reason', 'x', '--dry-run=server'],
  resume: ['resume', 'web', '--dry-run=server'],
  'end-hold': ['end-hold', 'web', '--dry-run=server'],
  retry: ['retry', 'web', '--dry-run=server'],
  doctor: ['doctor'],
  version: ['version'],
  lint: ['lint', '-f', '-', '--server'],
};

/** `status` does the same in another way without its optional rights, and in a dry run `approve` needs none of them. */
const NOTHING_LESS = new Set(['status', 'approve']);

const INPUT = `apiVersion: apprelease.dev/v1alpha1
kind: AppRelease
metadata: { name: web, labels: { team: shop } }
spec: `;

const program = createProgram({ io: testIo(), exit: () => undefined });
const commands = COMMANDS.map(({ rights }, index) => ({ name: program.commands[index]?.name() ?? '', rights })).filter(
  ({ rights }) => rights.length > 0,
);

/** The rules of a role. An apply is a patch, and a create where there is no object. */
function rulesOf(rights: readonly Right[]): object[] {
  return rights.map(({ verbs, resource: { apiVersion, plural, subresource } }) => ({
    apiGroups: [apiVersion.includes('/') ? apiVersion.split('/')[0] : ''],
    resources: [subresource === undefined ? plural : `${plural}/${subresource}`],
    verbs: verbs.flatMap((verb) => (verb === 'apply' ? ['patch', 'create'] : [verb])),
  }));
}

/** Runs the command as a user with these rights alone. */
async function runWith(
  world: World,
  name: string,
  rights: readonly Right[],
  check: (answer: CliAnswer) => void,
): Promise<CliAnswer> {
  const user = `cli-${name}-${world.namespace}`;
  const metadata = { name: user };
  const role = { apiVersion: RBAC, kind: 'ClusterRole', metadata, rules: rulesOf(rights) } as KubeObject;
  const subjects = [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }];
  const roleRef = { kind: 'ClusterRole', name: user, apiGroup: 'rbac.authorization.k8s.io' };
  const binding = { apiVersion: RBAC, kind: 'ClusterRoleBinding', metadata, subjects, roleRef } as KubeObject;
  await admin.create(ROLES, role as KubeObject & { apiVersion: string; kind: string });
  await admin.create(BINDINGS, binding as KubeObject & { apiVersion: string; kind: string });
  try {
    const { spec } = await admin.get(APP_RELEASES, { namespace: world.namespace, name: 'web' });
    const args = [...(CALLS[name] ?? []), '-n', world.namespace, '--as', user];
    // The API server learns of a role a moment later.
    return await world.until(async () => {
      const answer = await apprelease(args, { input: `${INPUT}${JSON.stringify(spec)}\n` });
      check(answer);
      return answer;
    });
  } finally {
    await Promise.all([admin.delete(BINDINGS, metadata), admin.delete(ROLES, metadata)]);
  }
}

test('every command with rights is tried', () => {
  expect(Object.keys(CALLS).toSorted()).toEqual(commands.map(({ name }) => name).toSorted());
});

describe('with the rights that the docs list', () => {
  test('each command works, shows less without the optional ones, and fails without the others', async ({ world }) => {
    const stages = [
      { name: 'canary', pools: [pool('canary-vms', 1)] },
      { name: 'production', approval: 'Manual' as const, pools: [pool('prod-a', 1)] },
    ];
    await world.apply(release(await world.image('1.0'), { stages }));
    await world.conditionIs('Ready', { reason: 'WaitingForApproval' });
    for (const { name, rights } of commands) {
      const needed = rights.filter(({ without }) => without === undefined);
      const all = await runWith(world, name, rights, ({ err }) => {
        expect(err, `${name} with all rights`).not.toMatch(/Forbidden|not shown/);
      });
      if (needed.length === 0) continue;
      if (needed.length < rights.length)
        await runWith(world, name, needed, ({ code, err }) => {
          expect(code, `${name} with the needed rights: ${err}`).toBe(all.code);
          if (NOTHING_LESS.has(name)) expect(err, name).not.toContain('Forbidden');
          else expect(err, `${name} with the needed rights`).toContain('not shown: ');
        });
      await runWith(world, name, [], ({ code, err }) => {
        expect(code, `${name} without rights`).toBe(1);
        expect(err, `${name} without rights`).toContain('Forbidden');
      });
    }
  });
});
