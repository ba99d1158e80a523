// The kinds of the Gateway API, standard channel, from its Go module, in the version that Traefik names.
import { join } from 'node:path';
import { moduleDir } from './go-tool.ts';
import { waitFor } from './processes.ts';

const KINDS = ['gatewayclasses', 'gateways', 'httproutes', 'grpcroutes', 'referencegrants', 'backendtlspolicies'];

/** Runs kubectl for a cluster. */
type Kubectl = (args: readonly string[]) => Promise<string>;

/** Flags with the files of the CRDs. Needs Go, and the network for the first time. */
async function crds(): Promise<string[]> {
  const dir = await moduleDir(join(import.meta.dirname, '../kind/traefik'), 'sigs.k8s.io/gateway-api');
  return KINDS.map((plural) => `--filename=${dir}/config/crd/standard/gateway.networking.k8s.io_${plural}.yaml`);
}

/** Installs the kinds, without a gateway, and waits until they are served. */
export async function installGatewayApi(run: Kubectl): Promise<void> {
  const files = await crds();
  await run(['apply', '--server-side', '--force-conflicts', ...files]);
  const established = ['wait', '--for=condition=Established', '--timeout=10s', ...files];
  // kubectl treats a CRD without conditions as an error.
  await waitFor('the kinds of the Gateway API', async () => (await run(established)) !== '', { timeoutSeconds: 60 });
}

/** Removes the kinds with all their objects. */
export async function removeGatewayApi(run: Kubectl): Promise<void> {
  await run(['delete', '--ignore-not-found', '--timeout=120s', ...(await crds())]);
}
