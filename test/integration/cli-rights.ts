// Rights of a user in the namespace of a test.
import { GROUP } from '../../src/api/meta.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import type { World } from './harness.ts';
import { admin } from './harness.ts';

const API_VERSION = 'rbac.authorization.k8s.io/v1';
const ROLES: Resource<KubeObject & { rules: object[] }> = {
  apiVersion: API_VERSION,
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
};
const ROLE_BINDINGS: Resource<KubeObject & { roleRef: object; subjects: object[] }> = {
  apiVersion: API_VERSION,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
};

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The API group of a rule is the operator's unless the rule names another. */
export async function grant(
  { namespace }: World,
  user: string,
  rules: readonly Rule[],
  name = 'granted',
): Promise<void> {
  const metadata = { name, namespace };
  await admin.create(ROLES, {
    apiVersion: API_VERSION,
    kind: 'Role',
    metadata,
    rules: rules.map((rule) => ({ apiGroups: [GROUP], ...rule })),
  });
  await admin.create(ROLE_BINDINGS, {
    apiVersion: API_VERSION,
    kind: 'RoleBinding',
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
}
