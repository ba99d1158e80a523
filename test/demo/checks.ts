// The requirements for an existing cluster. Each is checked before anything is created, and reports what is missing.
import { setTimeout as delay } from 'node:timers/promises';
import { KINDS } from '../../src/api/kinds.ts';
import { GROUP } from '../../src/api/meta.ts';
import { kubeletLabel } from '../cluster/stages.ts';
import type { ControlPlane } from '../cluster/types.ts';
import type { NodeView, Place, PlaceTaint } from './places.ts';

type Kubectl = ControlPlane['kubectl'];

/** A ready pod on a simulated node does nothing, so the Lease shows whether an operator works. */
const LEASE_AGE_MS = 60_000;
const IMAGE_SECONDS = 180;

async function getJson<T>(kubectl: Kubectl, ...args: string[]): Promise<T> {
  return JSON.parse(await kubectl(['get', ...args, '--output=json'])) as T;
}

/** @throws Error if the API server does not answer */
export async function checkReachable(kubectl: Kubectl): Promise<void> {
  await kubectl(['get', '--raw=/version', '--request-timeout=10s']).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the cluster of the current kubectl context does not answer\n${why}`, { cause });
  });
}

interface WireNode {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly unschedulable?: boolean; readonly taints?: readonly PlaceTaint[] };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export interface Nodes {
  readonly nodes: readonly NodeView[];
  /** Simulated nodes, as in `make cluster`: their pods run nothing, and become ready by default. */
  readonly simulated: boolean;
}

export async function findNodes(kubectl: Kubectl): Promise<Nodes> {
  const { items } = await getJson<{ items: readonly WireNode[] }>(kubectl, 'nodes');
  return {
    nodes: items.map(({ metadata, spec, status }) => ({
      name: metadata.name,
      labels: metadata.labels ?? {},
      taints: spec.taints ?? [],
      ready: status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
      schedulable: spec.unschedulable !== true,
    })),
    simulated: items.some(({ metadata }) => metadata.labels?.[kubeletLabel] !== undefined),
  };
}

/** The CRDs that the cluster does not have, by discovery, which every user may read. */
export async function missingCrds(kubectl: Kubectl): Promise<string[]> {
  const names = (await kubectl(['api-resources', `--api-group=${GROUP}`, '--output=name'])).split('\n');
  return KINDS.map(({ plural }) => `${plural}.${GROUP}`).filter((name) => !names.includes(name));
}

interface WireDeployment {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly WireContainer[] } } };
  readonly status: { readonly readyReplicas?: number };
}

interface WireContainer {
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string }[];
}

/** The `namespace/name` of the Deployment of an operator that watches all namespaces. */
export async function findOperator(kubectl: Kubectl): Promise<string | undefined> {
  const selector = '--selector=app.kubernetes.io/name=apprelease-operator';
  const { items } = await getJson<{ items: readonly WireDeployment[] }>(
    kubectl,
    'deployments',
    '--all-namespaces',
    selector,
  );
  for (const { metadata, spec, status } of items) {
    const [container = {}] = spec.template.spec.containers;
    const isReady = (status.readyReplicas ?? 0) > 0;
    if (isReady && looksAfterAll(container) && (await leads(kubectl, metadata, container))) {
      return `${metadata.namespace}/${metadata.name}`;
    }
  }
  return undefined;
}

function looksAfterAll({ args = [], env = [] }: WireContainer): boolean {
  return (
    !args.some((flag) => flag.startsWith('--namespace')) && !env.some(({ name }) => name === 'APPRELEASE_NAMESPACE')
  );
}

async function leads(
  kubectl: Kubectl,
  { namespace }: WireDeployment['metadata'],
  { args = [] }: WireContainer,
): Promise<boolean> {
  const flag = '--lease-name=';
  const lease = args.find((arg) => arg.startsWith(flag))?.slice(flag.length) ?? 'apprelease-operator';
  const jsonpath = '--output=jsonpath={.spec.holderIdentity} {.spec.renewTime}';
  const found = await kubectl(['get', 'lease', lease, `--namespace=${namespace}`, '--ignore-not-found', jsonpath]);
  const [holder = '', renewed = ''] = found.split(' ');
  return holder !== '' && Date.now() - Date.parse(renewed) < LEASE_AGE_MS;
}

export interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent: all namespaces, or cluster-scoped. */
  readonly namespace?: string;
}

/** The requests of the demo. The operator's rights are needed only if it runs as the user. */
export function neededRights(namespace: string, { crds, operator }: { crds: boolean; operator: boolean }): Right[] {
  const right = (group: string, resource: string, verbs: string): Right[] =>
    verbs.split(' ').map((verb) => ({ verb, group, resource }));
  const own = [
    ...right('', 'pods', 'create delete list watch'),
    ...right(GROUP, 'appreleases', 'create patch list watch'),
    ...right(GROUP, 'releaserollbacks', 'create list watch'),
    ...right(GROUP, 'releasepromotions', 'create list watch'),
    ...right('', 'services', 'list watch'),
    ...right('discovery.k8s.io', 'endpointslices', 'list watch'),
  ];
  const operators = [
    ...right('apps', 'deployments', 'create patch delete list watch'),
    ...right('apps', 'controllerrevisions', 'create patch delete list watch'),
    ...right('', 'services', 'create patch delete'),
    ...right(GROUP, 'releaserollbacks', 'patch'),
    ...['appreleases', 'releaserollbacks', 'releasepromotions'].flatMap((resource) =>
      right(GROUP, resource, 'patch').map((found) => ({ ...found, subresource: 'status' })),
    ),
  ];
  return [
    ...right('', 'namespaces', 'create delete'),
    ...(crds ? right('apiextensions.k8s.io', 'customresourcedefinitions', 'create patch delete') : []),
    ...(operator ? [...right('', 'nodes', 'list watch'), ...right(GROUP, 'vmpools', 'list watch')] : []),
    ...[...own, ...(operator ? operators : [])].map((found) => ({ ...found, namespace })),
  ];
}

/** @throws Error that names the missing rights of the user */
export async function checkRights(kubectl: Kubectl, rights: readonly Right[]): Promise<void> {
  const items = rights.map((resourceAttributes) => ({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  }));
  const jsonpath = '--output=jsonpath={.status.allowed}{"\\n"}';
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const allowed = (await kubectl(['create', '--filename=-', jsonpath], { input })).trim().split('\n');
  const missing = rights.filter((_right, index) => allowed[index] !== 'true');
  if (missing.length === 0) return;
  const lines = missing.map(({ verb, group, resource, subresource }) => {
    const name = group === '' ? resource : `${resource}.${group}`;
    return `  ${verb} ${name}${subresource === undefined ? '' : `/${subresource}`}`;
  });
  throw new Error(`the user of the current kubectl context lacks rights for the demo:\n${lines.join('\n')}`);
}

export interface App {
  readonly image: string;
  readonly port: number;
}

interface WirePod {
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly imageID: string;
      readonly state: { readonly waiting?: { readonly reason: string; readonly message?: string } };
    }[];
  };
}

/**
 * Runs a pod of the image once; returns the digest that the node pulled.
 * @throws Error that says why the image does not run, and how to choose another
 */
export async function checkImage(
  kubectl: Kubectl,
  app: App,
  { namespace, place, signal }: { readonly namespace: string; readonly place: Place; readonly signal: AbortSignal },
): Promise<string> {
  const name = 'image-check';
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      ...place,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'web', image: app.image, readinessProbe: probeOf(app.port) }],
    },
  };
  await kubectl(['create', '--filename=-'], { input: JSON.stringify(pod) });
  const deadline = Date.now() + IMAGE_SECONDS * 1000;
  for (;;) {
    const { status } = await getJson<WirePod>(kubectl, 'pod', name, `--namespace=${namespace}`);
    const digest = /sha256:[0-9a-f]{64}$/.exec(status.containerStatuses?.[0]?.imageID ?? '')?.[0];
    if (isPodReady(status) && digest !== undefined) {
      await kubectl(['delete', 'pod', name, `--namespace=${namespace}`, '--wait=false']);
      return digest;
    }
    const refused = refusalOf(status);
    if (refused !== undefined || Date.now() > deadline) throw new Error(imageProblem(app, refused ?? stateOf(status)));
    await delay(500, undefined, { signal });
  }
}

/** The readiness probe of the app. */
export function probeOf(port: number): object {
  return { tcpSocket: { port }, periodSeconds: 1 };
}

function isPodReady({ conditions = [] }: WirePod['status']): boolean {
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

function refusalOf({ containerStatuses = [] }: WirePod['status']): string | undefined {
  const waiting = containerStatuses[0]?.state.waiting;
  const isRefused = /ImagePull|InvalidImageName|CreateContainer|CrashLoop|RunContainerError/.test(
    waiting?.reason ?? '',
  );
  return isRefused ? `${waiting?.reason ?? ''}: ${waiting?.message ?? ''}` : undefined;
}

function stateOf({ conditions = [] }: WirePod['status']): string {
  const why = conditions.flatMap(({ status, message }) => (status === 'False' && message !== undefined ? message : []));
  return `not ready within ${IMAGE_SECONDS} s: ${why[0] ?? 'the nodes say nothing'}`;
}

function imageProblem({ image, port }: App, why: string): string {
  return [
    `the nodes cannot run ${image}, which must listen on port ${port}`,
    `  ${why}`,
    '  Choose one that they can pull: make demo CLUSTER=current IMAGE=my-registry/web:1.0 PORT=8080',
  ].join('\n');
}
