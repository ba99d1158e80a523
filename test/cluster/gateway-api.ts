// The CRDs of the Gateway API, standard channel, from its Go module.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const MODULE = 'sigs.k8s.io/gateway-api';
const KINDS = ['gatewayclasses', 'gateways', 'httproutes', 'grpcroutes', 'referencegrants', 'backendtlspolicies'];

/** Files with the CRDs, in the version that Traefik names. Needs Go, and the network for the first time. */
export async function gatewayApiCrds(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', MODULE], {
    cwd: join(import.meta.dirname, '../kind/traefik'),
  });
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  return KINDS.map((plural) => join(Dir, 'config/crd/standard', `gateway.networking.k8s.io_${plural}.yaml`));
}
