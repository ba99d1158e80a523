/** What the doctor reads of a cluster. Each part is undefined where the user has no right to read it. */
import { KINDS } from '../../api/kinds.ts';
import { GROUP } from '../../api/meta.ts';
import type { StructuralSchema } from '../../api/crd.ts';
import { APP_RELEASES } from '../../controller/kinds/api-kinds.ts';
import { getIfThere, listAll } from '../../kube/client.ts';
import { isNotFound } from '../../kube/errors.ts';
import type { Lease } from '../../kube/lease.ts';
import { LEASES } from '../../kube/lease.ts';
import type { KubeObject, Live, Resource } from '../../kube/types.ts';
import type { LiveRelease } from '../read/releases.ts';
import { PAGE } from '../read/releases.ts';
import type { Session } from '../session.ts';

export interface Crd extends KubeObject {
  spec?: { versions: { name: string; served?: boolean; schema?: { openAPIV3Schema?: StructuralSchema } }[] };
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

export interface OperatorDeployment extends KubeObject {
  spec?: { replicas?: number; template: { spec: { containers: { name: string; image: string }[] } } };
  status?: { readyReplicas?: number };
}

export interface Facts {
  /** Such as v1.36.3. */
  readonly serverVersion: string;
  /** By plural; undefined: not installed. */
  readonly crds: ReadonlyMap<string, Live<Crd> | undefined> | undefined;
  readonly operators: readonly Live<OperatorDeployment>[] | undefined;
  /** The Lease of the leader, where an operator was found. */
  readonly lease: Live<Lease> | 'none' | undefined;
  /** Names of the policies that are bound. */
  readonly policies: ReadonlySet<string> | undefined;
  readonly releases: readonly LiveRelease[] | undefined;
  readonly now: number;
}

export const CRDS: Resource<Crd> = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
export const OPERATORS: Resource<OperatorDeployment> = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
};
export const BINDINGS: Resource<KubeObject & { spec?: { policyName?: string } }> = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  namespaced: false,
};

/** The name of the operator's Deployment and Lease in manifests/ and in the chart, and its label. */
const OPERATOR = 'apprelease-operator';

export async function readFacts({ client, ifAllowed, io }: Session): Promise<Facts> {
  const [{ gitVersion }, crds, operators, policies, releases] = await Promise.all([
    client.version(),
    ifAllowed('CRDs', readCrds(client)),
    ifAllowed('the operator', readOperators(client)),
    ifAllowed(
      'policies',
      client.list(BINDINGS).then(({ items }) => new Set(items.flatMap(({ spec }) => spec?.policyName ?? []))),
    ),
    ifAllowed(
      'releases',
      // Without its CRD the kind is not there, which the check of the CRDs tells.
      listAll(client, APP_RELEASES, { limit: PAGE }).then(
        ({ items }) => items,
        (error: unknown) => {
          if (isNotFound(error)) return [];
          throw error;
        },
      ),
    ),
  ]);
  const namespace = operators?.[0]?.metadata.namespace;
  const lease =
    namespace === undefined
      ? undefined
      : await ifAllowed(
          'the leader',
          getIfThere(client, LEASES, { namespace, name: OPERATOR }).then((found) => found ?? ('none' as const)),
        );
  return { serverVersion: gitVersion, crds, operators, lease, policies, releases, now: io.now() };
}

export async function readOperators(client: Session['client']): Promise<Live<OperatorDeployment>[]> {
  const { items } = await client.list(OPERATORS, { labelSelector: `app.kubernetes.io/name=${OPERATOR}` });
  return items;
}

async function readCrds(client: Session['client']): Promise<Map<string, Live<Crd> | undefined>> {
  const read = KINDS.map(async ({ plural }) => {
    const crd = await getIfThere(client, CRDS, { name: `${plural}.${GROUP}` });
    return [plural, crd] as const;
  });
  return new Map(await Promise.all(read));
}
