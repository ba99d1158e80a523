// Traefik on a kind cluster: a gateway that implements the Gateway API, with the CRDs of that API.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installGatewayApi, removeGatewayApi } from '../cluster/gateway-api.ts';
import { ensureTool, moduleVersion } from '../cluster/go-tool.ts';
import { startProgress } from '../cluster/progress.ts';
import { controlPlane, loadImage, type KindCluster } from './cluster.ts';
import { execute } from './engine.ts';
import { traefik } from './tools.ts';

const NAMESPACE = 'gateways';
const GATEWAY = 'public';
const NAME = 'traefik';
/** Above 1023, so that the process needs no capability. A listener of a Gateway has the port of its entry point. */
const PORT = 8000;
const PING_PORT = 8080;
const image = `docker.io/apprelease/${NAME}:${moduleVersion(traefik.source, traefik.module)}`;

/**
 * How long Traefik collects changes before it follows the next one, by default: `providers.providersThrottleDuration`. The first
 * change after that time takes effect at once.
 */
export const THROTTLE_MS = 2_000;

export interface Gateway {
  /** What a route's `parentRefs` names. */
  readonly parentRef: { readonly namespace: string; readonly name: string };
  /** The address for clients in the cluster. */
  readonly address: string;
  /** Removes everything, with all objects of the Gateway API. */
  readonly remove: () => Promise<void>;
}

export interface GatewayOptions {
  readonly cluster: KindCluster;
  readonly kubectl: string;
}

type Kubectl = (args: readonly string[], input?: object) => Promise<string>;

/** Installs the CRDs and Traefik; returns when the Gateway is programmed. */
export async function installGateway({ cluster, kubectl }: GatewayOptions): Promise<Gateway> {
  const run: Kubectl = (args, input) =>
    execute(kubectl, [`--kubeconfig=${cluster.kubeconfigPath}`, ...args], {
      ...(input && { input: JSON.stringify(input) }),
    });
  const progress = startProgress('Installing Traefik and the CRDs of the Gateway API');
  try {
    // First, because the operator looks for them only every few seconds.
    await installGatewayApi(run);
    progress.note('its image');
    await loadTraefik(cluster);
    progress.note('its objects');
    await run(['apply', '--server-side', '--filename=-'], { apiVersion: 'v1', kind: 'List', items: OBJECTS });
    await run(['rollout', 'status', `deployment/${NAME}`, OWN, '--timeout=120s']);
    await run(['wait', `gateway/${GATEWAY}`, OWN, '--for=condition=Programmed', '--timeout=60s']);
    const address = await run(['get', 'service', NAME, OWN, '--output=jsonpath={.spec.clusterIP}']);
    progress.end('done');
    return { parentRef: { namespace: NAMESPACE, name: GATEWAY }, address, remove: () => remove(run) };
  } catch (error) {
    progress.end('failed');
    await remove(run);
    throw error;
  }
}

const OWN = `--namespace=${NAMESPACE}`;

async function remove(run: Kubectl): Promise<void> {
  const flags = ['--ignore-not-found', '--timeout=120s'];
  await run(['delete', '--filename=-', ...flags], { apiVersion: 'v1', kind: 'List', items: OBJECTS.filter(isBuiltIn) });
  await removeGatewayApi(run);
}

/** Whether the object can be named although the CRDs are missing. They are deleted with their objects. */
function isBuiltIn({ apiVersion }: { apiVersion: string }): boolean {
  return !apiVersion.startsWith('gateway.networking.k8s.io/');
}

/** Builds the image of the one static executable, and loads it on the control plane node, because every worker belongs to a pool. */
async function loadTraefik(cluster: KindCluster): Promise<void> {
  const context = await ensureTool(traefik);
  const dir = await mkdtemp(join(tmpdir(), 'traefik-'));
  try {
    const file = join(dir, 'Containerfile');
    await writeFile(file, `FROM scratch\nCOPY ${NAME} /${NAME}\nENTRYPOINT ["/${NAME}"]\n`);
    await cluster.engine.run(['build', `--tag=${image}`, `--file=${file}`, context]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  await loadImage(cluster, image, [controlPlane]);
}

const API = 'gateway.networking.k8s.io';
const labels = { 'app.kubernetes.io/name': NAME };
const own = { name: NAME, namespace: NAMESPACE };

/** docs/content/reference/dynamic-configuration/kubernetes-gateway-rbac.yml in Traefik's module, without the experimental kinds. */
const RULES = [
  { apiGroups: [''], resources: ['namespaces'], verbs: ['list', 'watch'] },
  // It does not start without the Secrets and ConfigMaps of certificates, though no listener here has one.
  { apiGroups: [''], resources: ['services', 'secrets', 'configmaps'], verbs: ['get', 'list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
  {
    apiGroups: [API],
    resources: ['gatewayclasses', 'gateways', 'httproutes', 'grpcroutes', 'referencegrants', 'backendtlspolicies'],
    verbs: ['get', 'list', 'watch'],
  },
  {
    apiGroups: [API],
    resources: ['gatewayclasses', 'gateways', 'httproutes', 'grpcroutes', 'backendtlspolicies'].map(
      (plural) => `${plural}/status`,
    ),
    verbs: ['update'],
  },
];

const POD = {
  serviceAccountName: NAME,
  nodeSelector: { 'node-role.kubernetes.io/control-plane': '' },
  tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }],
  terminationGracePeriodSeconds: 1,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  containers: [
    {
      name: NAME,
      image,
      args: [
        `--entryPoints.web.address=:${PORT}`,
        `--entryPoints.${NAME}.address=:${PING_PORT}`,
        '--providers.kubernetesgateway=true',
        '--ping=true',
        '--global.sendanonymoususage=false',
        '--global.checknewversion=false',
      ],
      ports: [
        { name: 'web', containerPort: PORT },
        { name: 'ping', containerPort: PING_PORT },
      ],
      readinessProbe: { httpGet: { path: '/ping', port: 'ping' }, periodSeconds: 1 },
      resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
    },
  ],
};

const OBJECTS = [
  {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: own },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: `${NAME}-gateway` },
    rules: RULES,
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: `${NAME}-gateway` },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `${NAME}-gateway` },
    subjects: [{ kind: 'ServiceAccount', ...own }],
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: own,
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: POD } },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: own,
    spec: { selector: labels, ports: [{ name: 'web', port: 80, targetPort: 'web' }] },
  },
  {
    apiVersion: `${API}/v1`,
    kind: 'GatewayClass',
    metadata: { name: NAME },
    spec: { controllerName: 'traefik.io/gateway-controller' },
  },
  {
    apiVersion: `${API}/v1`,
    kind: 'Gateway',
    metadata: { name: GATEWAY, namespace: NAMESPACE },
    spec: {
      gatewayClassName: NAME,
      listeners: [{ name: 'web', protocol: 'HTTP', port: PORT, allowedRoutes: { namespaces: { from: 'All' } } }],
    },
  },
];
