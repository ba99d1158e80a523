// The operator as installed by users: its image on the cluster, with its own rights.
import { join } from 'node:path';
import { installCrds } from '../cluster/kubectl.ts';
import { execute } from '../kind/engine.ts';
import { controlPlane, loadImage, type KindCluster } from '../kind/cluster.ts';
import { buildOperatorImage } from '../kind/operator-image.ts';
import manifest from '../../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '../..');
export const NAMESPACE = 'apprelease-system';
export const OPERATOR = 'deployment/apprelease-operator';

const image = `docker.io/apprelease/operator:${manifest.version}`;

export interface InstallOptions {
  readonly cluster: Omit<KindCluster, 'engine'>;
  readonly kubectl: string;
  /** Registries that may be reached over plain HTTP. */
  readonly registries: readonly string[];
}

/** Builds the image and loads it on the control plane node, where the operator runs, because every worker belongs to a pool. */
export async function loadOperator(cluster: KindCluster): Promise<void> {
  await buildOperatorImage(cluster.engine, image);
  await loadImage(cluster, image, [controlPlane]);
}

/** Installs from crds/ and manifests/; waits until the replicas are ready. */
export async function installOperator({ cluster, kubectl, registries }: InstallOptions): Promise<void> {
  const run = (...args: string[]) => execute(kubectl, [`--kubeconfig=${cluster.kubeconfigPath}`, ...args]);
  await installCrds({ kubectl: (args) => run(...args) });
  await run('apply', '-k', join(root, 'manifests'));
  const tolerations = [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }];
  const env = [{ name: 'APPRELEASE_INSECURE_REGISTRY', value: registries.join(',') }];
  const patch = { spec: { template: { spec: { tolerations, containers: [{ name: 'operator', env }] } } } };
  await run('patch', OPERATOR, `--namespace=${NAMESPACE}`, `--patch=${JSON.stringify(patch)}`);
  await run('rollout', 'status', OPERATOR, `--namespace=${NAMESPACE}`, '--timeout=120s');
}
