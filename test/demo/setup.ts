// The environment of the demo: a control plane with simulated VMs, a registry with images, and the installed operator.
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBinaries } from '../cluster/build.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import { installGatewayApi } from '../cluster/gateway-api.ts';
import { pushImage } from '../cluster/images.ts';
import { serviceAccountKubeconfig } from '../cluster/kubeconfig.ts';
import { installCrds } from '../cluster/kubectl.ts';
import { addNodes, standardPools } from '../cluster/nodes.ts';
import { removeWithUs, start, type Running } from '../cluster/processes.ts';
import { startProgress } from '../cluster/progress.ts';
import { startRegistry } from '../cluster/registry.ts';
import type { Binaries, ControlPlane, Registry } from '../cluster/types.ts';
import { APPROVE, type Script } from './acts.ts';
import { acceptRoutes } from './gateway.ts';

export const root = join(import.meta.dirname, '../..');
const OPERATOR = { namespace: 'apprelease-system', name: 'apprelease-operator' };
const REPOSITORY = 'shop/web';

/** The environment of the acts. */
export interface DemoStage {
  readonly kubeconfigPath: string;
  readonly binaries: Pick<Binaries, 'kubectl'>;
  /** Absent if the cluster has an operator. */
  readonly operator: Running | undefined;
  /** A folder like a user's Git checkout: examples/, and a kustomization.yaml that adapts them to this cluster. */
  readonly checkout: string;
  /** The timeout of each wait. */
  readonly patienceSeconds: number;
  readonly script: Script;
}

/**
 * Sets up the environment; `ending` stops everything in reverse order.
 * @throws Error with the output of the failed command
 */
export async function setTheStage(tags: readonly string[], ending: AsyncDisposableStack): Promise<DemoStage> {
  await ensureBinaries();
  const folder = await temporaryFolder(ending);
  const cluster = await step('Starting etcd, API server, controller manager, scheduler, KWOK', () =>
    startControlPlane(),
  );
  ending.defer(() => cluster.stop());
  await step('Adding 8 simulated VMs in 4 pools', () => addNodes(cluster, ...standardPools));
  const registry = await startRegistry();
  ending.defer(() => registry.stop());
  await step(`Pushing ${tags.length} versions of ${REPOSITORY} to a registry at ${registry.host}`, () =>
    Promise.all(tags.map((tag) => pushImage(registry, REPOSITORY, tag, { platforms: ['linux/amd64', 'linux/arm64'] }))),
  );
  const operator = await step('Installing CRDs, RBAC and the operator', async () => {
    await installGatewayApi((args) => cluster.kubectl(args));
    await install(cluster);
    return startOperator(cluster, registry, folder);
  });
  ending.defer(() => operator.stop());
  ending.defer(acceptRoutes(cluster.kubeconfigPath, 'shop'));
  const checkout = join(folder, 'checkout');
  await cp(join(root, 'examples'), join(checkout, 'examples'), { recursive: true });
  await writeFile(join(checkout, 'kustomization.yaml'), kustomization(registry.host, tags[0] ?? ''));
  await writeFile(join(checkout, 'traffic.yaml'), TRAFFIC);
  return {
    kubeconfigPath: cluster.kubeconfigPath,
    binaries: cluster.binaries,
    operator,
    checkout,
    patienceSeconds: 120,
    script: {
      namespace: 'shop',
      opening: ['cat kustomization.yaml', 'kubectl create namespace shop', 'kubectl apply -f examples/vm-pools.yaml'],
      vms: (pods) => [
        `kubectl wait vmpool prod-a prod-b prod-c --for=jsonpath='{.status.pods}'=${pods} --timeout=30s >/dev/null`,
        'kubectl get vmpools',
      ],
      commit: (version) => `sed -i 's/newTag: .*/newTag: ${version}/' kustomization.yaml`,
      letIn: () => [APPROVE],
      traffic: [
        'cat traffic.yaml',
        `sed -i 's/^patches:/&\\n  - { path: traffic.yaml, target: { kind: AppRelease, name: web } }/' kustomization.yaml`,
      ],
    },
  };
}

export async function step<T>(title: string, action: () => Promise<T>): Promise<T> {
  const progress = startProgress(title);
  try {
    const result = await action();
    progress.end('done');
    return result;
  } catch (error) {
    progress.end('failed');
    throw error;
  }
}

export async function temporaryFolder(ending: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'apprelease-demo-'));
  const keep = await removeWithUs(folder);
  ending.defer(async () => {
    await rm(folder, { recursive: true, force: true });
    await keep();
  });
  return folder;
}

async function install(cluster: ControlPlane): Promise<void> {
  await installCrds(cluster);
  await cluster.kubectl(['apply', '--server-side', '-k', join(root, 'manifests')]);
  // A simulated node runs no containers: the operator's pod would look ready and do nothing.
  const { namespace, name } = OPERATOR;
  await cluster.kubectl(['scale', 'deployment', name, `--namespace=${namespace}`, '--replicas=0']);
}

/** The operator as a local process, with the rights of its service account. */
async function startOperator(cluster: ControlPlane, registry: Registry, folder: string): Promise<Running> {
  const path = join(folder, 'operator.kubeconfig');
  const kubeconfig = await serviceAccountKubeconfig(cluster, { ...OPERATOR, path });
  return start({
    name: 'the operator',
    file: process.execPath,
    args: [
      `--import=${join(import.meta.dirname, 'exit-with-parent.ts')}`,
      join(root, 'dist/operator.mjs'),
      `--kubeconfig=${kubeconfig}`,
      '--health-address=127.0.0.1:0',
      '--metrics-address=127.0.0.1:0',
      `--insecure-registry=${registry.host}`,
      '--registry-allow-network=127.0.0.0/8',
    ],
    logFile: join(folder, 'operator.log'),
    detached: false,
    // The registry is local, so ignore the user's proxy.
    env: { NO_PROXY: '127.0.0.1' },
  });
}

/** A route over all pools, and steps for the canary. */
const TRAFFIC = `- op: add
  path: /spec/route
  value: { parentRefs: [{ name: public }], hostnames: [shop.example.com], settle: 1s }
- op: add
  path: /spec/stages/0/exposure
  value: [{ percent: 20, for: 3s }, { percent: 50, for: 3s }]
`;

function kustomization(registryHost: string, tag: string): string {
  return `# examples/web.yaml, with the demo's image registry and shorter times.
resources: [examples/web.yaml]
images:
  - name: registry.example.com/${REPOSITORY}
    newName: ${registryHost}/${REPOSITORY}
    newTag: ${tag}
patches:
  - target: { kind: AppRelease, name: web }
    patch: |-
      - { op: replace, path: /spec/stages/0/soak, value: 4s }
      - { op: replace, path: /spec/progressDeadlineSeconds, value: 10 }
      - { op: add, path: /spec/rollback/drain, value: 1s }
`;
}
