// Who may edit an AppRelease does not approve: the policy of manifests/ on a real API server, without an operator.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { API_VERSION } from '../../src/api/meta.ts';
import { APPROVAL, LOOSENING_CASES } from '../../src/release/stages/loosened-gates-testing.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { installCrds } from '../cluster/kubectl.ts';
import type { ControlPlane } from '../cluster/types.ts';
import { readPage } from './page.ts';
import { release } from './release-objects.ts';

const root = join(import.meta.dirname, '../..');
/** `eve` has the role edit, `pia` also apprelease-promote. */
const ROLES = { eve: ['edit'], pia: ['edit', 'apprelease-promote'] } as const;
type User = keyof typeof ROLES | undefined;

const IMAGE = 'registry.example.com/shop/web:1.0';
const CANARY = { name: 'canary', soak: '30m', pools: [{ name: 'a' }] };
const PRODUCTION = { name: 'production', approval: 'Manual', pools: [{ name: 'b' }, { name: 'c' }] } as const;
const WITHOUT_APPROVAL = { ...PRODUCTION, approval: 'Automatic' };
const GATED = { stages: [CANARY, PRODUCTION] };
const OPEN = { stages: [{ name: 'canary', pools: [{ name: 'a' }] }, WITHOUT_APPROVAL] };
const NEEDS =
  'This lets versions in, and needs the right to create releasepromotions in namespace shop, which the ClusterRole apprelease-promote has';

let dir: string;
let cluster: ControlPlane;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gates-'));
  const rules = [
    { level: 'Metadata', resources: [{ group: 'apprelease.dev', resources: ['appreleases'] }] },
    { level: 'None' },
  ];
  const policy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules };
  await writeFile(join(dir, 'policy.json'), JSON.stringify(policy));
  const flags = [`--audit-policy-file=${join(dir, 'policy.json')}`, `--audit-log-path=${join(dir, 'audit.log')}`];
  cluster = await startControlPlane({ flags: { 'kube-apiserver': flags } });
  await installCrds(cluster);
  for (const folder of ['access', 'policies']) await cluster.kubectl(['apply', '-k', join(root, 'manifests', folder)]);
  await createNamespace('shop');
  await create(GATED);
  const withoutApproval = { stages: [CANARY, WITHOUT_APPROVAL] };
  await until(async () => {
    expect(await change('eve', withoutApproval)).toContain(APPROVAL);
    expect(await change('pia', withoutApproval)).toBe('');
  });
}, 300_000);

afterAll(async () => {
  await cluster.stop();
  await rm(dir, { recursive: true });
});

async function createNamespace(name: string): Promise<void> {
  await cluster.kubectl(['create', 'namespace', name]);
  for (const [user, roles] of Object.entries(ROLES)) {
    for (const role of roles) {
      const binding = [`--namespace=${name}`, `--clusterrole=${role}`, `--user=${user}`];
      await cluster.kubectl(['create', 'rolebinding', `${user}-${role}`, ...binding]);
    }
  }
}

function until(check: () => Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 60_000, interval: 200 });
}

/** Creates the release web, as admin. */
async function create(spec: object, namespace = 'shop', metadata: object = {}): Promise<void> {
  const object = {
    apiVersion: API_VERSION,
    kind: 'AppRelease',
    metadata: { name: 'web', namespace, ...metadata },
    spec: { ...release(IMAGE), ...spec },
  };
  await cluster.kubectl(['create', '--filename=-'], { input: JSON.stringify(object) });
}

/** Sets the stages of the release, as admin. A merge patch replaces the whole list. */
async function apply(spec: { stages: object }): Promise<void> {
  expect(await patch(undefined, { spec })).toBe('');
}

/** Why a request is refused; empty if it is accepted. */
async function refusal(user: User, ...args: string[]): Promise<string> {
  const as = user === undefined ? [] : [`--as=${user}`];
  return cluster.kubectl([...args, ...as]).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}

function patch(user: User, body: object, ...flags: string[]): Promise<string> {
  const merge = ['--type=merge', `--patch=${JSON.stringify(body)}`];
  return refusal(user, 'patch', 'apprelease', 'web', '--namespace=shop', ...merge, ...flags);
}

/** A change of the spec that is not stored. */
function change(user: User, spec: object): Promise<string> {
  return patch(user, { spec }, '--dry-run=server');
}

/** A deletion that does not happen. */
function remove(user: User, ...which: string[]): Promise<string> {
  return refusal(user, 'delete', 'appreleases', ...which, '--namespace=shop', '--dry-run=server', '--wait=false');
}

describe('a change of the stages by somebody who may not promote', () => {
  test.each(LOOSENING_CASES)('$what', async ({ before, after, loosened }) => {
    // An exposure needs a route.
    const isExposed = before.some(({ exposure }) => exposure !== undefined);
    await apply({ stages: before, ...(isExposed && { route: { parentRefs: [{ name: 'public' }] } }) });
    const message = await change('eve', { stages: after });
    if (loosened.length === 0) expect(message).toBe('');
    else expect(message).toContain(`denied request: ${loosened.join('; ')}. ${NEEDS}`);
    expect(await change('pia', { stages: after })).toBe('');
  });
});

describe('of a release with gates, somebody who may not promote', () => {
  beforeAll(() => apply(GATED));

  test.each<[string, object]>([
    ['another version', { version: '2.0' }],
    ['other images', { template: release('registry.example.com/shop/web:2.0').template }],
    ['a pause, and its end', { paused: true }],
    ['what is healthy', { minReadySeconds: 0, progressDeadlineSeconds: 60 }],
    ['what waits for VMs', { capacity: 'Proceed' }],
    ['rollbacks', { rollback: { onFailure: 'Pause', warmFor: '0s', barrier: true } }],
    [
      'sizes',
      { stages: [CANARY, { ...PRODUCTION, pools: PRODUCTION.pools.map((pool) => ({ ...pool, replicas: 5 })) }] },
    ],
    ['another pool', { stages: [{ ...CANARY, pools: [...CANARY.pools, { name: 'd' }] }, PRODUCTION] }],
    ['a longer soak', { stages: [{ ...CANARY, soak: '1h' }, PRODUCTION] }],
  ])('may change %s', async (_what, spec) => {
    expect(await change('eve', spec)).toBe('');
  });

  test('may not add an owner, with which the garbage collector deletes the release', async () => {
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'gone' }];
    const owned = (user: User) => patch(user, { metadata: { ownerReferences } }, '--dry-run=server');
    expect(await owned('eve')).toContain(
      `denied request: the gates of stage production end with the release, which gets an owner. ${NEEDS}`,
    );
    expect(await owned('pia')).toBe('');
  });

  test.each([
    ['delete it', ['web']],
    ['delete it with all others', ['--all']],
  ])('may not %s', async (_what, which) => {
    expect(await remove('eve', ...which)).toContain(
      `denied request: the gates of stage production end with the release. ${NEEDS}`,
    );
    expect(await remove('pia', ...which)).toBe('');
  });

  test('may not change and delete the largest release', async () => {
    const stages = Array.from({ length: 16 }, (_, s) => ({
      name: `${'s'.repeat(60)}-${s}`,
      soak: '99999h99999h99999h99999h',
      approval: 'Manual',
      pools: Array.from({ length: 16 }, (_pool, p) => ({ name: `${'p'.repeat(56)}-${s}-${p}` })),
    }));
    await apply({ stages });
    const renamed = stages.map((stage, s) => ({ ...stage, name: `x-${s}`, pools: stages[15 - s]?.pools }));
    expect(await change('eve', { stages: renamed })).toContain(NEEDS);
    expect(await change('eve', { version: '2.0' })).toBe('');
    expect(await remove('eve', 'web')).toContain(NEEDS);
  });
});

test('docs/security.md shows the real error message', async () => {
  await apply(GATED);
  const page = await readPage('security.md');
  const [, command = '', answer = ''] =
    /^```console\n\$ kubectl (patch apprelease .*)\n(Error .*)\n```$/m.exec(page) ?? [];
  const args = [...command.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
  expect(args.at(-1)).toContain('/spec/stages/1/approval');
  expect(await refusal('eve', ...args, '--dry-run=server')).toContain(answer);
});

describe('of a release without gates, somebody who may not promote', () => {
  beforeAll(() => apply(OPEN));

  test('may delete it, unless a rollback is in force', async () => {
    expect(await remove('eve', 'web')).toBe('');
    const time = '2026-01-01T12:00:00Z';
    const held = {
      type: 'RolledBack',
      status: 'True',
      reason: 'HeldByRollback',
      message: '',
      lastTransitionTime: time,
    };
    expect(await patch(undefined, { status: { conditions: [held] } }, '--subresource=status')).toBe('');
    expect(await remove('eve', 'web')).toContain(
      `denied request: the rollback in force ends with the release. ${NEEDS}`,
    );
    expect(await remove('pia', 'web')).toBe('');
  });
});

test('the audit log names the user and the gates, also of changes that are allowed', async () => {
  await apply(GATED);
  expect(await patch('pia', { spec: OPEN })).toBe('');
  await until(async () => {
    const events = (await readFile(join(dir, 'audit.log'), 'utf8')).trimEnd().split('\n');
    const annotations = events.map(
      (line) => (JSON.parse(line) as { annotations?: Record<string, string> }).annotations,
    );
    expect(annotations.at(-1)?.['gates.apprelease.dev/loosened']).toBe(
      `pia: ${APPROVAL}; pools of stage production wait for a shorter soak`,
    );
  });
});

describe('Kubernetes itself', () => {
  const isGone = (namespace: string) =>
    until(async () => {
      const args = ['get', 'appreleases', `--namespace=${namespace}`, '--output=name'];
      expect(await cluster.kubectl(args)).toBe('');
    });

  test('deletes a release with gates with its namespace', async () => {
    await createNamespace('old');
    await create(GATED, 'old');
    await cluster.kubectl(['delete', 'namespace', 'old', '--wait=true', '--timeout=60s']);
    await isGone('old');
  });

  test('deletes a release with gates with its owner', async () => {
    await createNamespace('owned');
    await cluster.kubectl(['create', 'configmap', 'owner', '--namespace=owned']);
    const uid = await cluster.kubectl([
      'get',
      'configmap',
      'owner',
      '--namespace=owned',
      '--output=jsonpath={.metadata.uid}',
    ]);
    await create(GATED, 'owned', { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }] });
    await cluster.kubectl(['delete', 'configmap', 'owner', '--namespace=owned']);
    await isGone('owned');
  });
});
