// Rights: of the operator in the cluster or in a list of namespaces, with and without Secrets, and of people.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Helm, Rendered, RoleRule, Values } from './helm.ts';
import { createHelm, EVERYTHING, find, idOf, NAME, NAMESPACE, operatorPod } from './helm.ts';

let helm: Helm;

beforeAll(async () => {
  helm = await createHelm();
});

afterAll(() => helm.close());

const SHOPS: Values = { watchNamespaces: ['shop', 'bank'] };
const RBAC = ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'];

/** Only roles of the operator. */
function rbacOf(objects: readonly Rendered[]): string[] {
  const isForPeople = ({ metadata }: Rendered) => !metadata.name.startsWith(NAME);
  return objects.filter((object) => RBAC.includes(object.kind) && !isForPeople(object)).map(idOf);
}

/** `verb group/resource`, with a name if the right is limited to it. */
function rightsOf(rules: readonly RoleRule[] = []): string[] {
  return rules
    .flatMap(({ apiGroups, resources, resourceNames = [''], verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          resourceNames.flatMap((name) => verbs.map((verb) => `${verb} ${group}/${resource} ${name}`.trim())),
        ),
      ),
    )
    .toSorted();
}

/** VMs and their pools, which are cluster-scoped. */
const VMS = [
  'list /nodes',
  'list apprelease.dev/vmpools',
  'patch apprelease.dev/vmpools/status',
  'watch /nodes',
  'watch apprelease.dev/vmpools',
];

describe('the whole cluster', () => {
  test('is one ClusterRole, and a Role for the Lease', async () => {
    const objects = await helm.render();
    expect(rbacOf(objects)).toEqual([
      `ClusterRole ${NAME}`,
      `ClusterRoleBinding ${NAME}`,
      `Role ${NAMESPACE}/${NAME}-leader`,
      `RoleBinding ${NAMESPACE}/${NAME}-leader`,
    ]);
    expect(rightsOf(find(objects, 'Role', `${NAME}-leader`).rules)).toEqual([
      'create coordination.k8s.io/leases',
      `get coordination.k8s.io/leases ${NAME}`,
      `update coordination.k8s.io/leases ${NAME}`,
    ]);
    expect(operatorPod(objects).containers[0].args.join(' ')).not.toContain('--namespace');
  });
});

describe('a list of namespaces', () => {
  test('gives a Role in each, and one ClusterRole only for VMs and their pools', async () => {
    const objects = await helm.render(SHOPS);
    expect(rbacOf(objects).toSorted()).toEqual(
      [
        `ClusterRole ${NAME}`,
        `ClusterRoleBinding ${NAME}`,
        ...['shop/', 'bank/'].flatMap((at) => [`Role ${at}${NAME}`, `RoleBinding ${at}${NAME}`]),
        `Role ${NAMESPACE}/${NAME}-leader`,
        `RoleBinding ${NAMESPACE}/${NAME}-leader`,
      ].toSorted(),
    );
    expect(rightsOf(find(objects, 'ClusterRole').rules)).toEqual(VMS);
  });

  test('gives the same rights in total as one ClusterRole', async () => {
    const everywhere = rightsOf(find(await helm.render(), 'ClusterRole').rules);
    const role = rightsOf(find(await helm.render(SHOPS), 'Role').rules);
    // The tenants of a VMPool are compared with the pods of all namespaces, which only this operator sees.
    const namespaces = ['list /namespaces', 'watch /namespaces'];
    expect([...role, ...VMS, ...namespaces].toSorted()).toEqual(everywhere);
  });

  test('is passed to the operator, one flag for each', async () => {
    const { args } = operatorPod(await helm.render(SHOPS)).containers[0];
    expect(args.filter((arg) => arg.startsWith('--namespace'))).toEqual(['--namespace=shop', '--namespace=bank']);
  });

  test('may include the operator’s own namespace', async () => {
    const ids = (await helm.render({ watchNamespaces: [NAMESPACE] })).map(idOf);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test.each(['requested-by', 'gates', 'records'])(
    'has a policy %s of its own, which applies only there',
    async (policy) => {
      const objects = await helm.render(SHOPS);
      const name = `${policy}.${NAME}.apprelease.dev`;
      expect(find(objects, 'ValidatingAdmissionPolicyBinding', name).spec).toEqual({
        policyName: name,
        validationActions: ['Deny'],
        matchResources: {
          namespaceSelector: {
            matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shop', 'bank'] }],
          },
        },
      });
      expect(find(objects, 'ValidatingAdmissionPolicy', name)).toBeDefined();
    },
  );
});

test.each<[string, Values]>([
  ['everywhere', {}],
  ['in some namespaces', SHOPS],
])('without access to Secrets the operator has no right to any, and is told so: %s', async (_where, values) => {
  const objects = await helm.render({ ...values, rbac: { readSecrets: false } });
  const rights = objects.flatMap(({ rules }) => rightsOf(rules));
  expect(rights.filter((right) => /secrets|serviceaccounts/.test(right))).toEqual([]);
  expect(operatorPod(objects).containers[0].args).toContain('--read-pull-secrets=false');
});

test.each<[string, Values]>([
  ['everywhere', {}],
  ['in some namespaces', SHOPS],
])('without routes the operator has no right to any, and is told so: %s', async (_where, values) => {
  const objects = await helm.render({ ...values, route: { enabled: false } });
  const rights = objects.flatMap(({ rules }) => rightsOf(rules));
  expect(rights.filter((right) => right.includes('gateway.networking.k8s.io'))).toEqual([]);
  expect(operatorPod(objects).containers[0].args).toContain('--routes=false');
});

test.each<[string, Values]>([
  ['the defaults', {}],
  ['everything', EVERYTHING],
  ['some namespaces', SHOPS],
])('there is no wildcard: %s', async (_what, values) => {
  const rules = (await helm.render(values)).flatMap((object) => object.rules ?? []);
  expect(rules.length).toBeGreaterThan(10);
  for (const right of rightsOf(rules)) expect(right).not.toContain('*');
});

test('rbac.create=false creates no rights for the operator', async () => {
  expect(rbacOf(await helm.render({ rbac: { create: false } }))).toEqual([]);
});

describe('the service account', () => {
  test.each<[Values, string, boolean]>([
    [{}, NAME, true],
    [{ serviceAccount: { name: 'mine' } }, 'mine', true],
    [{ serviceAccount: { create: false, name: 'mine' } }, 'mine', false],
    [{ serviceAccount: { create: false } }, 'default', false],
  ])('%j: %s', async (values, name, made) => {
    const objects = await helm.render(values);
    expect(objects.some(({ kind }) => kind === 'ServiceAccount')).toBe(made);
    expect(operatorPod(objects).serviceAccountName).toBe(name);
    const subject = { kind: 'ServiceAccount', name, namespace: NAMESPACE };
    expect(find(objects, 'ClusterRoleBinding').subjects).toEqual([subject]);
    expect(find(objects, 'RoleBinding', `${NAME}-leader`).subjects).toEqual([subject]);
    const { matchConditions } = find(objects, 'ValidatingAdmissionPolicy', 'requested-by.apprelease.dev').spec as {
      matchConditions: { expression: string }[];
    };
    expect(matchConditions[0]?.expression).toContain(`'system:serviceaccount:${NAMESPACE}:${name}'`);
  });

  test('has annotations', async () => {
    const { metadata } = find(await helm.render(EVERYTHING), 'ServiceAccount');
    expect(metadata.annotations).toEqual({ 'iam.example.com/role': 'apprelease', 'example.com/owner': 'platform' });
  });
});

describe('people', () => {
  const roles = (objects: readonly Rendered[]) =>
    objects.filter(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name !== NAME);

  test('have four roles, two of which come with view and edit', async () => {
    const found = roles(await helm.render());
    expect(found.map(({ metadata }) => metadata.name.replace('apprelease-', '')).toSorted()).toEqual([
      'edit',
      'promote',
      'rollback',
      'view',
    ]);
    const aggregated = found.filter(({ metadata }) => JSON.stringify(metadata.labels).includes('aggregate-to-'));
    expect(aggregated.map(({ metadata }) => metadata.name).toSorted()).toEqual(['apprelease-edit', 'apprelease-view']);
  });

  test('access.aggregate=false leaves view and edit alone', async () => {
    expect(JSON.stringify(await helm.render({ access: { aggregate: false } }))).not.toContain('aggregate-to-');
  });

  test('access.create=false creates none', async () => {
    expect(roles(await helm.render({ access: { create: false } }))).toEqual([]);
  });

  test('have no policy if the values disable it', async () => {
    const policies = async (policies: Values) =>
      (await helm.render({ policies }))
        .filter(({ kind }) => kind === 'ValidatingAdmissionPolicy')
        .map(({ metadata }) => metadata.name);
    const tenants = ['tenants.apprelease.dev', 'tenants-taint.apprelease.dev'];
    const [gates, requestedBy, records] = ['gates', 'requested-by', 'records'].map((name) => `${name}.apprelease.dev`);
    expect(await policies({ requestedBy: false })).toEqual([gates, records, ...tenants]);
    expect(await policies({ gates: false })).toEqual([requestedBy, records, ...tenants]);
    expect(await policies({ records: false })).toEqual([gates, requestedBy, ...tenants]);
    expect(await policies({ tenants: false })).toEqual([gates, requestedBy, records]);
    expect(await policies({ requestedBy: false, gates: false, records: false, tenants: false })).toEqual([]);
  });
});

describe('tenants of VMs', () => {
  interface Policy {
    readonly failurePolicy: string;
    readonly matchConstraints: { readonly namespaceSelector?: { readonly matchExpressions: readonly object[] } };
    readonly matchConditions: readonly { readonly name: string; readonly expression: string }[];
  }

  async function policyOf(values: Values, name = 'tenants.apprelease.dev'): Promise<Policy> {
    return find(await helm.render(values), 'ValidatingAdmissionPolicy', name).spec as unknown as Policy;
  }

  test('admit pods of system namespaces, and the schedulers of the cluster', async () => {
    const { matchConstraints, matchConditions } = await policyOf({
      policies: { systemNamespaces: ['kube-system', 'monitoring'], schedulers: ['system:kube-scheduler', 'batch'] },
    });
    expect(matchConstraints.namespaceSelector?.matchExpressions).toEqual([
      { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'monitoring'] },
    ]);
    const { expression = '' } = matchConditions.find(({ name }) => name === 'not-by-the-scheduler') ?? {};
    expect(expression).toContain('in ["system:kube-scheduler","batch"]');
  });

  test('refuse other pods if the policy cannot be evaluated, unless the values say otherwise', async () => {
    expect(await policyOf({})).toMatchObject({ failurePolicy: 'Fail' });
    const ignoring = await policyOf({ policies: { tenantsFailurePolicy: 'Ignore' } });
    expect(ignoring.failurePolicy).toBe('Ignore');
  });

  test('may apply to every namespace', async () => {
    expect((await policyOf({ policies: { systemNamespaces: [] } })).matchConstraints.namespaceSelector).toBe(undefined);
  });

  test('are protected in the whole cluster, also with an operator that watches a list of namespaces', async () => {
    const name = `tenants.${NAME}.apprelease.dev`;
    expect(await policyOf(SHOPS, name)).toEqual(await policyOf({}));
    const bindings = (await helm.render(SHOPS)).filter(
      ({ kind, spec }) => kind === 'ValidatingAdmissionPolicyBinding' && spec?.['policyName'] === name,
    );
    expect(bindings.map(({ metadata }) => metadata.name)).toEqual([name]);
    for (const { spec } of bindings) expect(spec).not.toHaveProperty('matchResources');
  });
});
